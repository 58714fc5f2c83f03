// All profiles by name.
import { appOnly403 } from './app-only-403.ts';
import { compositeIds } from './composite-ids.ts';
import { forbiddenConfiguration } from './forbidden-configuration.ts';
import { loopingPages } from './looping-pages.ts';
import { noCreate } from './no-create.ts';
import { noFilter } from './no-filter.ts';
import { noKeys } from './no-keys.ts';
import { oneRowPerDevice, oneRowReplaced } from './one-row-per-device.ts';
import type { Profile } from './profile.ts';
import { shortening } from './shortening.ts';

const PROFILES = {
  'no-create': noCreate,
  'no-filter': noFilter(400),
  'no-filter-500': noFilter(500),
  'no-keys': noKeys,
  'composite-ids': compositeIds,
  'one-row-per-device': oneRowPerDevice,
  'one-row-per-device-replaced': oneRowReplaced,
  'forbidden-configuration': forbiddenConfiguration,
  shortening,
  'looping-pages': loopingPages,
  'app-only-403': appOnly403,
} as const satisfies Record<string, Profile>;

export type ProfileName = keyof typeof PROFILES;

export const PROFILE_NAMES = Object.keys(PROFILES) as ProfileName[];

/** Null stands for Graph as documented. */
export const profileOf = (name: ProfileName | null): Profile => (name === null ? DOCUMENTED : PROFILES[name]);
const DOCUMENTED: Profile = { about: 'Graph as it is documented' };

export const isProfileName = (name: string): name is ProfileName => Object.hasOwn(PROFILES, name);

/** All profiles, one per line, for a person. */
export const describeProfiles = (): string =>
  PROFILE_NAMES.map((name) => `  ${name.padEnd(28)} ${PROFILES[name].about}`).join('\n');

// The sandbox's whole state, passed to the parts that use it.
import { createAccessTokens } from './authority/access-tokens.ts';
import type { AccessTokens } from './authority/access-tokens.ts';
import { createDirectory } from './directory/directory.ts';
import type { Directory } from './directory/directory.ts';
import { createEarlyCalls } from './server/early-calls.ts';
import type { EarlyCalls } from './server/early-calls.ts';
import { parseFaultRates } from './faults/fault-rates.ts';
import type { ParsedRate } from './faults/fault-rates.ts';
import { emptyLimiter } from './graph/limiter.ts';
import type { LimiterState } from './graph/limiter.ts';
import { ScriptError } from './faults/fault.ts';
import { isProfileName, PROFILE_NAMES } from './profiles/named.ts';
import { createRandom } from './random.ts';
import type { Random } from './random.ts';
import { createRequestLog } from './server/request-log.ts';
import type { RequestLog } from './server/request-log.ts';
import { createRunStateStore } from './graph/run-state-store.ts';
import type { RunStateStore } from './graph/run-state-store.ts';
import { createScript } from './faults/script.ts';
import type { Script } from './faults/script.ts';
import { applyChanges } from './settings.ts';
import type { Changes, Settings } from './settings.ts';
import { createTally } from './tally.ts';
import type { Tally } from './tally.ts';

/** A hardware configuration in the sandbox's Graph. */
export type HardwareConfiguration = {
  id: string;
  displayName: string;
  description: string;
  hardwareConfigurationFormat?: 'dell' | 'surface' | 'surfaceDock';
  fileName: string;
  version: number;
};

/** The identities of the tenant's apps. */
export type Identity = {
  tenantId: string;
  clientId: string;
  clientSecret: string;
  directoryApp: { clientId: string; clientSecret: string };
  managedIdentityHeader: string;
};

export type World = {
  readonly identity: Identity;
  /** By id in lower case. */
  readonly configurations: ReadonlyMap<string, HardwareConfiguration>;
  readonly tokens: AccessTokens;
  readonly store: RunStateStore;
  readonly directory: Directory;
  readonly script: Script;
  readonly log: RequestLog;
  readonly now: () => number;
  settings: Settings;
  rates: ParsedRate[];
  limiter: LimiterState;
  random: Random;
  tally: Tally;
  earlyCalls: EarlyCalls;
  nextSequence: number;
};

export type Beginning = {
  identity: Identity;
  configurations: readonly HardwareConfiguration[];
  settings: Settings;
  seed: number;
  mostRequestsRemembered: number;
  now: () => number;
};

/** The initial state, before any request. */
export async function createWorld(beginning: Beginning): Promise<World> {
  return {
    identity: beginning.identity,
    configurations: new Map(beginning.configurations.map((known) => [known.id.toLowerCase(), known])),
    tokens: await createAccessTokens(beginning.identity, beginning.now),
    store: createRunStateStore(),
    directory: await createDirectory(),
    script: createScript(),
    log: createRequestLog(beginning.mostRequestsRemembered),
    now: beginning.now,
    ...freshStart(beginning),
  };
}

/** Resets all state and settings; only identity, keys and certificates are kept. */
export function resetWorld(world: World, beginning: Beginning): void {
  world.store.clear();
  world.directory.clear();
  world.script.clear();
  world.log.clear();
  Object.assign(world, freshStart(beginning));
}

/** Makes changes that apply from the next request on; throws a ScriptError, and changes nothing, if a fault is invalid. */
export function changeWorld(world: World, changes: Changes): void {
  const { tokens, ...lasting } = changes;
  const settings = applyChanges(world.settings, lasting);
  world.rates = parseFaultRates(settings.faults);
  world.settings = settings;
  if (tokens === 'revoked') world.tokens.revokeIssued();
}

const profileLine = /^profile (\S+)$/i;

/**
 * Adds a script's lines, and switches to a profile for lines such as `profile no-create` or `profile none`; throws a
 * ScriptError, and changes nothing, if a line is invalid.
 */
export function scriptWorld(world: World, text: string): void {
  const lines = text.split(/[;\n]/).map((line) => line.trim().replace(/\s+/g, ' '));
  const names = lines.flatMap((line) => profileLine.exec(line)?.[1]?.toLowerCase() ?? []);
  const unknown = names.find((name) => name !== 'none' && !isProfileName(name));
  if (unknown !== undefined) {
    throw new ScriptError(`"${unknown}" is no profile: say none, ${PROFILE_NAMES.join(', ')}`);
  }
  world.script.add(lines.filter((line) => !profileLine.test(line)).join('\n'));
  const name = names.at(-1);
  if (name !== undefined) changeWorld(world, { profile: isProfileName(name) ? name : null });
}

function freshStart(beginning: Beginning) {
  return {
    settings: beginning.settings,
    rates: parseFaultRates(beginning.settings.faults),
    limiter: emptyLimiter,
    random: createRandom(beginning.seed),
    tally: createTally(),
    earlyCalls: createEarlyCalls(),
    nextSequence: 1,
  };
}

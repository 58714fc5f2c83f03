// The sandbox's settings that can change at run time, and their defaults.
import type { FaultRates } from './faults/fault-rates.ts';
import type { LimiterSettings } from './graph/limiter.ts';
import type { FilterSupport } from './graph/listing.ts';
import type { ProfileName } from './profiles/named.ts';
import type { Trouble } from './trouble.ts';

export type Settings = {
  /** Whether an administrator's consent stands. Tokens issued without it stay without roles, as with Entra. */
  permission: 'granted' | 'taken-away';
  /** `revoked`: no proof of the client is accepted any more, neither secret nor certificate nor federated token. */
  secret: 'valid' | 'revoked';
  /** `down`: connections are reset. */
  graph: 'up' | 'down';
  tokenEndpoint: 'up' | 'down';
  /** Application roles a token carries while the permission is granted. */
  roles: readonly string[];
  secrets: readonly string[];
  /** PEM certificates registered on the app. */
  certificates: readonly string[];
  /** Assertions accepted as they are, as from a federated identity provider. */
  federatedTokens: readonly string[];
  limiter: LimiterSettings;
  faults: FaultRates;
  /** Every answer takes between the first and the second. */
  latencyMs: readonly [number, number];
  /** How long a new record stays invisible in lists. */
  listLagMs: number;
  filterSupport: FilterSupport;
  /** In which way this tenant's Graph differs from the documented one; null is not at all. */
  profile: ProfileName | null;
  /** Configurations whose run states are answered in a way of their own, by id. */
  troubles: Readonly<Record<string, Trouble>>;
  /** Of longer outputs and errors a record made from now on shows only so many characters; null shows all. */
  longestText: number | null;
  pageSize: number;
  tokenLifetimeS: number;
  /** When a token response asks for an early refresh; null leaves it out. */
  refreshInS: number | null;
};

/** What can be changed at once; `tokens: 'revoked'` refuses every token issued so far. */
export type Changes = Partial<Omit<Settings, 'limiter'>> & { limiter?: Partial<LimiterSettings>; tokens?: 'revoked' };

export const defaultSettings: Settings = {
  permission: 'granted',
  secret: 'valid',
  graph: 'up',
  tokenEndpoint: 'up',
  roles: ['DeviceManagementConfiguration.ReadWrite.All'],
  secrets: [],
  certificates: [],
  federatedTokens: [],
  limiter: { kind: 'sliding-window', writesPer20s: 100, requestsPer20s: 1000, retryAfter: 'seconds', timeScale: 1 },
  faults: {},
  latencyMs: [0, 0],
  listLagMs: 0,
  filterSupport: 'yes',
  profile: null,
  troubles: {},
  longestText: null,
  pageSize: 100,
  tokenLifetimeS: 3599,
  refreshInS: null,
};

/** The settings with changes made. */
export function applyChanges(settings: Settings, { limiter, ...changes }: Omit<Changes, 'tokens'>): Settings {
  return { ...settings, ...changes, limiter: { ...settings.limiter, ...limiter } };
}

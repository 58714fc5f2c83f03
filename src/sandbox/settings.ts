// The sandbox's settings that can change at run time, and their defaults.
import type { FaultRates } from './faults/fault-rates.ts';
import type { LimiterSettings } from './graph/limiter.ts';
import type { FilterSupport } from './graph/listing.ts';
import type { ProfileName } from './profiles/named.ts';
import type { Trouble } from './trouble.ts';

export type Settings = {
  /** Whether admin consent is granted. Tokens issued without it stay without roles, as in Entra. */
  permission: 'granted' | 'taken-away';
  /** `revoked`: no client proof is accepted any more: secret, certificate or federated token. */
  secret: 'valid' | 'revoked';
  /** `down`: connections are reset. */
  graph: 'up' | 'down';
  tokenEndpoint: 'up' | 'down';
  /** `down`: connections that ask for devices are reset, and no others. */
  directory: 'up' | 'down';
  /** Application roles a token carries while the permission is granted. */
  roles: readonly string[];
  /** The same for the app that is meant to read devices and nothing else. */
  directoryRoles: readonly string[];
  secrets: readonly string[];
  /** PEM certificates registered on the app. */
  certificates: readonly string[];
  /** Assertions accepted without verification, as from a federated identity provider. */
  federatedTokens: readonly string[];
  limiter: LimiterSettings;
  faults: FaultRates;
  /** Minimum and maximum latency of responses. */
  latencyMs: readonly [number, number];
  /** How long a new record stays invisible in lists. */
  listLagMs: number;
  filterSupport: FilterSupport;
  /** How this tenant's Graph differs from the documented one; null if it does not. */
  profile: ProfileName | null;
  /** Configurations, by id, whose run states are answered with faults. */
  troubles: Readonly<Record<string, Trouble>>;
  /** How many characters of longer outputs and errors new records show; null shows all. */
  longestText: number | null;
  pageSize: number;
  tokenLifetimeS: number;
  /** When a token response asks for an early refresh; null leaves it out. */
  refreshInS: number | null;
};

/** Changes that can be made together; `tokens: 'revoked'` refuses every token issued so far. */
export type Changes = Partial<Omit<Settings, 'limiter'>> & { limiter?: Partial<LimiterSettings>; tokens?: 'revoked' };

export const defaultSettings: Settings = {
  permission: 'granted',
  secret: 'valid',
  graph: 'up',
  tokenEndpoint: 'up',
  directory: 'up',
  roles: ['DeviceManagementConfiguration.ReadWrite.All'],
  directoryRoles: ['Device.Read.All'],
  secrets: [],
  certificates: [],
  federatedTokens: [],
  limiter: {
    kind: 'sliding-window',
    writesPer20s: 100,
    requestsPer20s: 1000,
    directoryUnitsPer10s: 3500,
    retryAfter: 'seconds',
    timeScale: 1,
  },
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

/** The settings with the changes applied. */
export function applyChanges(settings: Settings, { limiter, ...changes }: Omit<Changes, 'tokens'>): Settings {
  return { ...settings, ...changes, limiter: { ...settings.limiter, ...limiter } };
}

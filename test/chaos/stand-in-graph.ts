// The Graph of a run: the sandbox with its moods, or the other one; what the campaign needs of either.
import { createHash } from 'node:crypto';
import { createSandbox, type Sandbox, type SandboxOptions } from '../../src/sandbox/sandbox.ts';
import type { GraphRecord } from '../support/graph-record.ts';
import { startOtherGraph, TROUBLES } from '../support/other-graph.ts';
import {
  COMMON_GRAPH_KINDS,
  GRAPH_KINDS,
  MACHINE_KINDS,
  type Filter,
  type Kind,
  type PlannedKind,
  type TROUBLE_KINDS,
} from './plan.ts';

/** Which configurations are in trouble, and in which. */
export type Troubles = ReadonlyMap<string, (typeof TROUBLE_KINDS)[number]>;

export type StandInGraph = {
  port: number;
  /** What a worker needs, with its own way to Graph's port. */
  environment: (port: number) => Record<string, string>;
  /** What a tenant's entry says of it. */
  entry: (port: number) => { azure: object; graph: object };
  configurationIds: string[];
  records: () => GraphRecord[];
  /** Faults given so far, by their words. */
  faults: () => Record<string, number>;
  /** What it does with `$filter` as long as no mood says otherwise. */
  begin: (filter: Filter) => void;
  /** Exactly these are in trouble. */
  troubles: (troubles: Troubles) => void;
  /** Takes on exactly these moods. */
  moods: (kinds: ReadonlySet<Kind>) => void;
  revokeTokens: () => void;
  secret: () => string;
  /** From now on only another secret is good. @returns it */
  rotateSecret: () => string;
  close: () => Promise<void>;
};

type Settings = Parameters<Sandbox['set']>[0];
type Rates = NonNullable<Settings['faults']>;

const PLENTY = 1_000_000;
/** Of longer texts no more is shown where texts are shortened: a long part, and less than the campaign's long outputs. */
const LONGEST_TEXT = 500;
const CALM: Settings = {
  permission: 'granted',
  secret: 'valid',
  graph: 'up',
  tokenEndpoint: 'up',
  limiter: { writesPer20s: PLENTY, requestsPer20s: PLENTY, retryAfter: 'seconds', timeScale: 10 },
  latencyMs: [0, 30],
  listLagMs: 0,
  longestText: null,
  pageSize: 100,
  tokenLifetimeS: 3599,
  refreshInS: null,
};
/** There is never a run without some of these. */
const ALWAYS: Rates = { creates: { '504 after the write': 0.03, 'reset after the write': 0.02, 503: 0.02 } };

const MOODS: Partial<Record<Kind, { settings?: Settings; faults?: Rates }>> = {
  'graph-down': { settings: { graph: 'down' } },
  throttle: {
    settings: { limiter: { writesPer20s: 20, retryAfter: 'fractional' } },
    faults: { requests: { '429 with Retry-After 1': 0.1, '503 with Retry-After date 1': 0.05 } },
  },
  'throttle-unsaid': { faults: { creates: { 429: 0.2, '429 as intune': 0.1 } } },
  'server-errors': { faults: { requests: { 500: 0.1, '502 as html': 0.1, 503: 0.1, 504: 0.05, reset: 0.05 } } },
  'lost-answers': {
    faults: {
      creates: {
        '500 after the write': 0.1,
        'hang after the write': 0.05,
        truncated: 0.1,
        slow: 0.05,
        hang: 0.05,
        '201 in 700 ms': 0.1,
      },
    },
  },
  'list-lag': { settings: { listLagMs: 1500 } },
  'no-filter': { settings: { filterSupport: '400' } },
  'filter-fails': { settings: { filterSupport: '500' } },
  'shortened-texts': { settings: { longestText: LONGEST_TEXT } },
  'small-pages': { settings: { filterSupport: '501', pageSize: 4 } },
  'slow-graph': { settings: { latencyMs: [50, 900] } },
  'short-tokens': { settings: { tokenLifetimeS: 3, refreshInS: 1 } },
  'secret-revoked': { settings: { secret: 'revoked', tokenLifetimeS: 3 } },
  'permission-taken': { settings: { permission: 'taken-away' } },
  'token-endpoint-down': { settings: { tokenEndpoint: 'down', tokenLifetimeS: 3 } },
  'token-errors': { faults: { tokens: { 500: 0.2, 503: 0.2, reset: 0.2, '429 with Retry-After 1': 0.1 } } },
};

const TROUBLE_OF = {
  'configuration-forbidden': 'forbidden',
  'configuration-failing': 'failing',
  'configuration-unserved': 'unserved',
} as const;

/** Credential trouble is only met by whoever needs a new token. */
export const REVOKING: readonly Kind[] = ['tokens-revoked', 'secret-revoked', 'token-endpoint-down', 'token-errors'];

/** An Entra tenant and app of its own for each seed, behind certificates of one authority. */
export function openTenantSandbox(seed: number, tlsDirectory: string) {
  const hash = createHash('sha256').update(`tenant ${seed}`).digest('hex');
  const toGuid = (hex: string) => hex.replace(/^(.{8})(.{4})(.{3})(.{3})(.{12})$/, '$1-$2-4$3-8$4-$5');
  const [tenantId, clientId] = [toGuid(hash.slice(0, 30)), toGuid(hash.slice(30, 60))];
  return openSandbox(seed, { tenantId, clientId, clientSecret: `secret~of~${hash}`, tlsDirectory });
}

export async function openSandbox(seed: number, options: SandboxOptions = {}) {
  const sandbox = await createSandbox({ seed, faults: ALWAYS, mostRequestsRemembered: 10, ...options });
  sandbox.set(CALM);
  let calm = CALM;
  let secret = sandbox.clientSecret;
  let rotations = 0;
  const faults: Record<string, number> = {};
  sandbox.subscribe(({ fault, operation }) => {
    if (fault !== null) faults[`${operation}: ${fault}`] = (faults[`${operation}: ${fault}`] ?? 0) + 1;
  });
  return {
    kinds: [...MACHINE_KINDS, ...GRAPH_KINDS],
    entry: (port: number) => ({
      azure: { tenantId: sandbox.tenantId, clientId: sandbox.clientId },
      graph: { baseUrl: `https://localhost:${port}/beta`, authorityHost: `https://localhost:${port}` },
    }),
    secret: () => secret,
    rotateSecret: () => {
      secret = `${sandbox.clientSecret}~${++rotations}`;
      sandbox.set({ secrets: [secret], tokens: 'revoked' });
      return secret;
    },
    port: Number(new URL(sandbox.authorityHost).port),
    environment: (port: number) => ({
      ...sandbox.environment(),
      AZURE_AUTHORITY_HOST: `https://localhost:${port}`,
      GRAPH_BASE_URL: `https://localhost:${port}/beta`,
    }),
    configurationIds: sandbox.configurationIds,
    records: () => sandbox.records(),
    faults: () => faults,
    begin: (filter: Filter) => {
      calm = { ...CALM, filterSupport: filter === 'works' ? 'yes' : filter };
      sandbox.set(calm);
    },
    troubles: (troubles: Troubles) =>
      sandbox.set({
        troubles: Object.fromEntries(Array.from(troubles, ([id, kind]) => [id, TROUBLE_OF[kind]] as const)),
      }),
    moods: (kinds: ReadonlySet<Kind>) => {
      const moods = [...kinds].flatMap((kind) => MOODS[kind] ?? []);
      const limiter = Object.assign({}, CALM.limiter, ...moods.map(({ settings }) => settings?.limiter)) as object;
      const settings = Object.assign({}, calm, ...moods.map((mood) => mood.settings)) as Settings;
      sandbox.set({ ...settings, limiter, faults: combine([ALWAYS, ...moods.map((mood) => mood.faults ?? {})]) });
    },
    revokeTokens: () => sandbox.set({ tokens: 'revoked' }),
    close: () => sandbox.close(),
  } satisfies StandInGraph & { kinds: readonly PlannedKind[] };
}

function combine(all: readonly Rates[]): Rates {
  const combined: Rates = {};
  for (const rates of all) {
    for (const [target, faults] of Object.entries(rates)) combined[target] = { ...combined[target], ...faults };
  }
  return combined;
}

/** The Graph that shares nothing with the sandbox: it has its own faults, and few moods. */
export async function openOtherGraph(seed: number): Promise<StandInGraph & { kinds: readonly PlannedKind[] }> {
  const graph = await startOtherGraph(seed, { configurations: 3 });
  let beginning: Filter = 'works';
  return {
    ...graph,
    kinds: [...MACHINE_KINDS, ...COMMON_GRAPH_KINDS],
    begin: (filter) => {
      beginning = filter;
      graph.set({ filter: OTHER_FILTERS[filter] });
    },
    troubles: (troubles) => {
      for (const id of graph.configurationIds) {
        const kind = troubles.get(id);
        graph.trouble(id, kind === undefined ? null : TROUBLES[TROUBLE_OF[kind]]);
      }
    },
    moods: (kinds) => {
      const isRefused = kinds.has('no-filter') && 'refused';
      const isFailing = kinds.has('filter-fails') && 'failing';
      graph.set({
        filter: isRefused || isFailing || OTHER_FILTERS[beginning],
        longestText: kinds.has('shortened-texts') ? LONGEST_TEXT : null,
      });
    },
    revokeTokens: () => undefined,
    // It has one tenant, of an environment.
    entry: () => ({ azure: {}, graph: {} }),
    secret: () => '',
    rotateSecret: () => '',
  };
}

/** It knows no filters: where one would work, it passes over it. */
const OTHER_FILTERS = { works: 'ignored', 'finds-nothing': 'finds-nothing' } as const;

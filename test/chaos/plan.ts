// What one run does to the service: who submits what and when, and what is disturbed meanwhile; a function of the seed.
import { createRandom, pick, wholeNumber, type Random } from '../../src/sandbox/random.ts';
import { planRunResult, type SentRunResult } from './run-result.ts';

export const PARTIES = ['api', 'worker-1', 'worker-2'] as const;
export type Party = (typeof PARTIES)[number];

/** Disturbances of the service's own machinery, and of what the sandbox can play beside. */
export const MACHINE_KINDS = [
  'kill',
  'terminate',
  'pause',
  'clock-step',
  'redis-kill',
  'redis-pause',
  'script-flush',
  'redis-cut',
  'redis-stall',
  'redis-lost-replies',
  'redis-refuse',
  'redis-promote',
  'graph-cut',
  'graph-stall',
  'graph-lost-replies',
  'graph-refuse',
] as const;
/** What one configuration alone may be in for a while. */
export const TROUBLE_KINDS = ['configuration-forbidden', 'configuration-failing', 'configuration-unserved'] as const;
/** What either Graph can play. */
export const COMMON_GRAPH_KINDS = [...TROUBLE_KINDS, 'no-filter', 'filter-fails', 'shortened-texts'] as const;
export const GRAPH_KINDS = [
  ...COMMON_GRAPH_KINDS,
  'graph-down',
  'throttle',
  'throttle-unsaid',
  'server-errors',
  'lost-answers',
  'list-lag',
  'small-pages',
  'slow-graph',
  'tokens-revoked',
  'short-tokens',
  'secret-revoked',
  'permission-taken',
  'token-endpoint-down',
  'token-errors',
] as const;
/** What the embedded Redis must stand: no proxy is before it, and its processes are all there is to start it again. */
export const EMBEDDED_KINDS = [
  'kill',
  'terminate',
  'pause',
  'redis-kill',
  'redis-pause',
  'redis-long-pause',
  'kill-all',
] as const;
/** What Redis behind Sentinel, and as a Cluster, must stand: its servers are disturbed, and cut off from each other. */
const PROCESS_KINDS = ['kill', 'terminate', 'pause', 'clock-step'] as const;
const NODE_KINDS = [
  'primary-kill',
  'primary-pause',
  'primary-cut-off',
  'replica-kill',
  'replica-pause',
  'replica-cut-off',
  'failover',
] as const;
export const TOPOLOGY_KINDS = [...NODE_KINDS, 'sentinel-pause', 'slot-move'] as const;
/** What happens to one tenant's entry in the tenants file, or to the file. */
export const TENANT_KINDS = [
  'tenant-paused',
  'tenant-removed',
  'tenant-late',
  'tenant-secret-rotated',
  'tenants-file-broken',
] as const;
/** What a tenant's plan has. */
export type PlannedKind =
  | (typeof MACHINE_KINDS)[number]
  | (typeof EMBEDDED_KINDS)[number]
  | (typeof TOPOLOGY_KINDS)[number]
  | (typeof GRAPH_KINDS)[number];
export type Kind = PlannedKind | (typeof TENANT_KINDS)[number];

/** The tenant of a run without a tenants file. */
export const ONLY_TENANT = 'default';

/** `at` counts from the start of the run, in milliseconds. */
export type Disturbance = {
  at: number;
  forMs: number;
  kind: Kind;
  party: Party;
  /** Whose Graph or entry; null where all tenants are met. */
  tenant: string | null;
  /** Which one is in trouble; null where all are met. */
  configurationId: string | null;
};

/** What a service does with `$filter` from the beginning, while nothing disturbs it. */
export const FILTERS = ['works', 'finds-nothing'] as const;
export type Filter = (typeof FILTERS)[number];

export type Submission = {
  at: number;
  tenant: string;
  runResult: SentRunResult;
  /** So many at the same moment, each on its own connection. */
  copies: number;
  clockSkewS: number;
  /** `rival`: same device and run id as another, with other content; one of them is refused. */
  meaning: 'ordinary' | 'poison' | 'rival';
};

export type Plan = {
  seed: number;
  concurrency: number;
  /** How far each process's wall clock is ahead of Redis's. */
  clockAheadS: Record<Party, number>;
  filter: Filter;
  /** Whether the processes may do in Redis only what the documentation says they need. */
  isRestricted: boolean;
  /** Whether they and the servers among themselves use TLS and passwords, where Redis is several servers. */
  isEncrypted: boolean;
  submissions: Submission[];
  disturbances: Disturbance[];
  /** After this everything is mended. */
  lengthMs: number;
};

export type PlanOptions = {
  seed: number;
  devices: number;
  configurationIds: readonly string[];
  /** One that Graph does not know. */
  unknownConfigurationId: string;
  kinds: readonly PlannedKind[];
  machinery: Machinery;
  /** For instants in run results; part of the plan, so a replay is given the same. */
  now: number;
};

/** Disturbances of the service's own machinery, how many of all are, and for how long everything is disturbed. */
export type Machinery = { kinds: readonly PlannedKind[]; share: number; lengthMs: number };
export const MACHINERY = {
  apart: { kinds: MACHINE_KINDS, share: 0.35, lengthMs: 11_000 },
  // Processes come and go while Redis stands still, and are not always saved by its being killed.
  embedded: {
    kinds: [...EMBEDDED_KINDS, 'kill', 'kill', 'terminate', 'terminate', 'redis-long-pause'],
    share: 0.8,
    lengthMs: 22_000,
  },
  sentinel: {
    kinds: [...PROCESS_KINDS, ...NODE_KINDS, 'primary-kill', 'primary-cut-off', 'sentinel-pause'],
    share: 0.6,
    lengthMs: 20_000,
  },
  cluster: {
    kinds: [...PROCESS_KINDS, ...NODE_KINDS, 'primary-kill', 'primary-cut-off', 'slot-move'],
    share: 0.6,
    lengthMs: 20_000,
  },
} as const satisfies Record<string, Machinery>;

/** Four minutes, and hours, to either side; half of the clocks are right. */
const CLOCKS_AHEAD_S = [0, 0, 0, 0, 240, -240, 4 * 3600, -4 * 3600] as const;

/** So many runs meet a service whose `$filter` is taken and finds nothing. */
const BLIND_FILTER_SHARE = 0.25;

/** This share of runs has processes with a restricted Redis user. */
const RESTRICTED_SHARE = 0.4;
/** And this share TLS, if there are several servers. */
const ENCRYPTED_SHARE = 0.4;

const SUBMITTING_MS = 9000;
/** So many submissions come at a moment when something is about to happen. */
const TIMELY_SHARE = 0.7;
/** The service tolerates 300 s; a second is lost to rounding and slow machines. */
const SKEW = { within: 270, beyond: [330, 5000] } as const;

/** How long each lasts; `graph-stall` must stay well below what three looks cover. */
const DURATIONS: Record<PlannedKind, readonly [number, number]> = {
  kill: [100, 1500],
  terminate: [100, 1500],
  pause: [300, 3000],
  'clock-step': [500, 6000],
  'redis-kill': [100, 2500],
  'redis-pause': [300, 4000],
  'redis-long-pause': [12_000, 18_000],
  'kill-all': [0, 0],
  'script-flush': [0, 0],
  'redis-cut': [0, 0],
  'redis-stall': [300, 3500],
  'redis-lost-replies': [100, 1500],
  'redis-refuse': [300, 2500],
  'redis-promote': [0, 0],
  'graph-cut': [0, 0],
  'graph-stall': [300, 2500],
  'graph-lost-replies': [100, 2500],
  'graph-refuse': [300, 2500],
  'primary-kill': [200, 6000],
  'primary-pause': [200, 6000],
  'primary-cut-off': [500, 9000],
  'replica-kill': [200, 2000],
  'replica-pause': [200, 2000],
  'replica-cut-off': [500, 4000],
  failover: [0, 0],
  'sentinel-pause': [500, 5000],
  'slot-move': [0, 0],
  'configuration-forbidden': [2000, 9000],
  'configuration-failing': [2000, 9000],
  'configuration-unserved': [2000, 9000],
  'no-filter': [2000, 8000],
  'filter-fails': [2000, 8000],
  'shortened-texts': [2000, 9000],
  'graph-down': [500, 2500],
  throttle: [500, 4000],
  'throttle-unsaid': [300, 1500],
  'server-errors': [500, 3000],
  'lost-answers': [1000, 6000],
  'list-lag': [2000, 8000],
  'small-pages': [2000, 8000],
  'slow-graph': [1000, 5000],
  'tokens-revoked': [0, 0],
  'short-tokens': [2000, 6000],
  'secret-revoked': [500, 3000],
  'permission-taken': [500, 3000],
  'token-endpoint-down': [500, 3000],
  'token-errors': [500, 3000],
};

/** Whether it is one tenant's Graph that it disturbs, or a way there. */
export const isOfGraph = (kind: Kind): boolean =>
  (GRAPH_KINDS as readonly Kind[]).includes(kind) || /^graph-(cut|stall|lost|refuse)/.test(kind);

const isTrouble = (kind: Kind): boolean => (TROUBLE_KINDS as readonly Kind[]).includes(kind);

export function createPlan(options: PlanOptions): Plan {
  const random = createRandom(options.seed);
  const count = wholeNumber(random, 8, 18);
  const disturbances = Array.from({ length: count }, () => planDisturbance(random, options)).flatMap((disturbance) =>
    disturbance.kind === 'redis-long-pause' ? [disturbance, planRestart(random, disturbance)] : [disturbance],
  );
  const submissions = planSubmissions(random, options, disturbances);
  return {
    seed: options.seed,
    concurrency: pick(random, [2, 10, 50]),
    clockAheadS: {
      api: pick(random, CLOCKS_AHEAD_S),
      'worker-1': pick(random, CLOCKS_AHEAD_S),
      'worker-2': pick(random, CLOCKS_AHEAD_S),
    },
    filter: random() < BLIND_FILTER_SHARE ? 'finds-nothing' : 'works',
    isRestricted: random() < RESTRICTED_SHARE,
    isEncrypted: random() < ENCRYPTED_SHARE,
    submissions: submissions.sort((a, b) => a.at - b.at),
    disturbances: disturbances.sort((a, b) => a.at - b.at),
    lengthMs: options.machinery.lengthMs,
  };
}

function planDisturbance(random: Random, { kinds, machinery, configurationIds }: PlanOptions): Disturbance {
  const choices = random() < machinery.share ? machinery.kinds : kinds;
  const kind = choices[wholeNumber(random, 0, choices.length - 1)] ?? 'kill';
  const [shortest, longest] = DURATIONS[kind];
  const room = kind === 'redis-long-pause' ? shortest : 500;
  const at = wholeNumber(random, 0, machinery.lengthMs - room);
  // The API's clock is what devices sign by; only where it is wrong from the start can they know it.
  const parties = /^(graph-(cut|stall|lost|refuse)|clock-step)/.test(kind)
    ? (['worker-1', 'worker-2'] as const)
    : PARTIES;
  return {
    at,
    kind,
    forMs: Math.min(wholeNumber(random, shortest, longest), machinery.lengthMs - at),
    party: pick(random, parties),
    tenant: isOfGraph(kind) ? ONLY_TENANT : null,
    configurationId: isTrouble(kind)
      ? (configurationIds[wholeNumber(random, 0, configurationIds.length - 1)] ?? null)
      : null,
  };
}

/** A process that starts while Redis stands still. */
function planRestart(random: Random, { at }: Disturbance): Disturbance {
  return {
    at: at + wholeNumber(random, 0, 1000),
    kind: pick(random, ['kill', 'terminate']),
    forMs: wholeNumber(random, 100, 1000),
    party: pick(random, PARTIES),
    tenant: null,
    configurationId: null,
  };
}

function planSubmissions(random: Random, options: PlanOptions, disturbances: readonly Disturbance[]): Submission[] {
  const { devices, configurationIds, unknownConfigurationId, now } = options;
  const submissions: Submission[] = [];
  let runs = 0;
  const run = (deviceId: string, configurationId?: string) =>
    planRunResult({
      random,
      number: ++runs,
      deviceId,
      hardwareConfigurationId:
        configurationId ?? configurationIds[wholeNumber(random, 0, configurationIds.length - 1)] ?? '',
      now,
    });
  const when = () => {
    if (random() >= TIMELY_SHARE) return wholeNumber(random, 0, SUBMITTING_MS);
    const disturbance = disturbances[wholeNumber(random, 0, disturbances.length - 1)];
    const moment = (disturbance?.at ?? 0) + (random() < 0.3 ? (disturbance?.forMs ?? 0) : 0);
    return Math.max(0, moment + wholeNumber(random, -250, 100));
  };
  for (let device = 1; device <= devices; device += 1) {
    const deviceId = `device-${device}`;
    const ordinary: Submission = {
      at: when(),
      tenant: ONLY_TENANT,
      runResult: run(deviceId),
      copies: random() < 0.15 ? wholeNumber(random, 2, 5) : 1,
      clockSkewS: planSkew(random),
      meaning: 'ordinary',
    };
    if (random() < 0.2) submissions.push({ ...ordinary, at: when(), runResult: run(deviceId), copies: 1 });
    // The same run reported under another id: two records that say the same.
    if (random() < 0.08) {
      const runResult = { ...ordinary.runResult, runId: `run-${++runs}` };
      submissions.push({ ...ordinary, at: ordinary.at + wholeNumber(random, 0, 300), runResult });
    }
    if (random() < 0.08) {
      submissions.push({
        ...ordinary,
        at: when(),
        runResult: run(deviceId, unknownConfigurationId),
        meaning: 'poison',
      });
    }
    const hasRival = random() < 0.1;
    const contested: Submission = { ...ordinary, meaning: hasRival ? 'rival' : 'ordinary' };
    submissions.push(contested);
    if (random() < 0.15) submissions.push({ ...contested, at: when(), copies: 1 });
    if (hasRival) {
      const runResult = { ...ordinary.runResult, policyVersion: ordinary.runResult.policyVersion + 10 };
      submissions.push({ ...contested, at: random() < 0.5 ? ordinary.at : when(), runResult });
    }
  }
  return submissions;
}

function planSkew(random: Random): number {
  const thrown = random();
  const sign = random() < 0.5 ? -1 : 1;
  if (thrown < 0.8) return 0;
  return sign * (thrown < 0.92 ? wholeNumber(random, 1, SKEW.within) : wholeNumber(random, ...SKEW.beyond));
}

/** Whether the service must refuse a device whose clock is this wrong. */
export const isBeyondTolerance = (clockSkewS: number): boolean => Math.abs(clockSkewS) >= SKEW.beyond[0];

/** A disturbance in words, for a timeline. */
export function describeDisturbance({ at, forMs, kind, party, tenant, configurationId }: Disturbance): string {
  const aimed =
    /^(kill|terminate|pause|clock-step|redis-(cut|stall|lost|refuse)|graph-(cut|stall|lost|refuse)|primary-cut-off)/.test(
      kind,
    );
  const lasting = forMs === 0 ? '' : ` for ${forMs} ms`;
  return `${String(at).padStart(6)} ms  ${kind}${aimed ? ` ${party}` : ''}${tenant === null || tenant === ONLY_TENANT ? '' : ` of ${tenant}`}${configurationId === null ? '' : ` ${configurationId}`}${lasting}`;
}

// The environment of a run: Redis, a Graph for each tenant, a proxy on every path, three processes; and how each is disturbed.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createFakeClock, MISSING_FAKETIME, type FakeClock } from '../support/fake-clock.ts';
import type { StandInGraph } from './stand-in-graph.ts';
import { ONLY_TENANT, PARTIES, type Disturbance, type Filter, type Kind, type Party } from './plan.ts';
import { supervise, type Supervised } from './processes.ts';
import type { Proxy } from './proxy.ts';
import { openEmbeddedRedis, openRedisApart, type RedisBehind, type Way } from './redis-behind.ts';
import { openClusterRedis, openSentinelRedis } from './redis-topologies.ts';
import { INHERITED } from '../support/environment.ts';
import { openProxies, openTenantGraph, type TenantGraph } from './tenant-graph.ts';
import { openTenantsFiles, type TenantsFiles } from './tenants-files.ts';

/** The campaign's day is short: looks at 0.7, 2.1 and 4.9 s cover the longest stall and lag of a plan. */
const SHORT_DAY = {
  UNCERTAIN_LOOK_AFTER_MS: '700',
  HOLD_PROBE_MS: '200',
  ATTEMPT_TIMEOUT_MS: '2000',
  SHUTDOWN_GRACE_MS: '5000',
  GRAPH_WRITES_PER_20S: '20000',
};

/** A process that listens has read its tenants file. */
const READ_WITHIN_MS = 2000;

/** One worker's clock steps back, the other's forth. */
const CLOCK_STEP_S: Record<Party, number> = { api: 0, 'worker-1': -3600, 'worker-2': 3600 };

export type StageTenant = { id: string; groupKey: Uint8Array; standIn: StandInGraph };

/** One of the campaign's own, as one server or several; or the one that the processes start themselves. */
export type RedisKind = 'apart' | 'embedded' | 'sentinel' | 'cluster';

export type StageOptions = {
  directory: string;
  /** One alone is described by the environment, several by a tenants file. */
  tenants: readonly StageTenant[];
  redis: RedisKind;
  operatorToken: string;
  concurrency: number;
  filter: Filter;
  isRestricted: boolean;
  isEncrypted: boolean;
  clockAheadS: Record<Party, number>;
  disturbances: readonly Disturbance[];
};

export type Stage = {
  apiUrl: string;
  /** How far the API's clock is ahead here: not at all where clocks cannot be set. */
  apiAheadS: number;
  begin: (disturbance: Disturbance) => Promise<void>;
  end: (disturbance: Disturbance) => Promise<void>;
  /** Everything is well and runs. */
  mend: () => Promise<void>;
  /** Ends the processes. @returns what they and Redis did that nobody asked for */
  leave: () => Promise<string[]>;
  close: () => Promise<void>;
};

export async function openStage(options: StageOptions): Promise<Stage> {
  const { tenants, directory } = options;
  // An embedded Redis has the clock of whoever started it.
  const hasClocks = MISSING_FAKETIME === null && options.redis !== 'embedded';
  const clockAheadS = hasClocks ? options.clockAheadS : { api: 0, 'worker-1': 0, 'worker-2': 0 };
  const clocks = hasClocks ? await openClocks(clockAheadS) : null;
  const redis = await openRedis(options);
  const toRedis = await openProxies(redis.connect);
  const graphs = new Map<string, TenantGraph>();
  for (const { id, standIn } of tenants) graphs.set(id, await openTenantGraph(standIn, options.filter));
  const graphOf = (tenant: string | null): TenantGraph => {
    const graph = graphs.get(tenant ?? ONLY_TENANT);
    if (!graph) throw new Error(`there is no Graph of ${String(tenant)}`);
    return graph;
  };
  const wayOf = (party: Party, { tenant }: Disturbance): Proxy => graphOf(tenant).ways[party];
  const [only] = tenants;
  const files = tenants.length > 1 ? openFiles(options, graphOf) : null;
  const trusted = await writeTrusted(options, redis);
  const tenantsOf = (party: Party) => {
    if (files) {
      return { TENANTS_FILE: files.pathOf(party) };
    }
    return {
      ...only?.standIn.environment(graphOf(null).ways[party].port),
      DEVICE_GROUP_KEYS: Buffer.from(only?.groupKey ?? []).toString('base64'),
    };
  };
  const processes = Object.fromEntries(
    PARTIES.map((party) => {
      const [entry, portVariable] =
        party === 'api' ? (['src/main.ts', 'PORT'] as const) : (['workers/main.ts', 'WORKER_PORT'] as const);
      const env = {
        ...INHERITED,
        ...SHORT_DAY,
        ...tenantsOf(party),
        ...redis.environment(toRedis[party].port, party),
        NODE_EXTRA_CA_CERTS: trusted,
        OPERATOR_TOKEN: options.operatorToken,
        WORKER_CONCURRENCY: String(options.concurrency),
        HOST: '127.0.0.1',
        ...clocks?.[party].env,
      };
      return [party, supervise({ name: party, entry, portVariable, env, directory })];
    }),
  ) as Record<Party, Supervised>;
  const [apiPort] = await Promise.all(PARTIES.map((party) => processes[party].start()));

  const troubling: Way = {
    begin: (_, disturbance) => graphOf(disturbance.tenant).trouble(disturbance, 1),
    end: (_, disturbance) => graphOf(disturbance.tenant).trouble(disturbance, -1),
  };

  /** No process can start on a tenants file with faults. */
  let filesBroken = 0;
  let startable: Promise<unknown> = Promise.resolve();
  let onRepaired: () => void = () => undefined;
  const start = (party: Party) => startable.then(() => processes[party].start());
  const breaking: Way = {
    begin: async () => {
      filesBroken += 1;
      if (filesBroken > 1) return;
      startable = new Promise<void>((resolve) => (onRepaired = resolve));
      // One that has just been started may not have read it yet.
      const listening = Promise.all(PARTIES.map((party) => processes[party].untilListens()));
      const isIn = await Promise.race([listening.then(() => true), delay(READ_WITHIN_MS).then(() => false)]);
      if (isIn && filesBroken > 0) files?.break();
    },
    end: () => repair(),
  };
  function repair(): void {
    filesBroken = Math.max(0, filesBroken - 1);
    if (filesBroken > 0) return;
    files?.repair();
    onRepaired();
  }

  const standInOf = (tenant: string | null): StandInGraph => {
    const found = tenants.find(({ id }) => id === tenant);
    if (!found) throw new Error(`there is no tenant ${String(tenant)}`);
    return found.standIn;
  };

  let redisDown: Promise<void> = Promise.resolve();

  let pauses = 0;
  const pausing: Way = {
    begin: () => {
      pauses += 1;
      redis.signal('SIGSTOP');
    },
    end: () => {
      pauses -= 1;
      if (pauses === 0) redis.signal('SIGCONT');
    },
  };

  /** How each begins and ends; what is not here is a mood of Graph's. */
  const machinery: Partial<Record<Kind, Way>> = {
    kill: { begin: (party) => processes[party].end('SIGKILL'), end: start },
    terminate: { begin: (party) => processes[party].end('SIGTERM'), end: start },
    pause: { begin: (party) => processes[party].signal('SIGSTOP'), end: (party) => processes[party].signal('SIGCONT') },
    'clock-step': {
      begin: (party) => clocks?.[party].set(clockAheadS[party] + CLOCK_STEP_S[party]),
      end: (party) => clocks?.[party].set(clockAheadS[party]),
    },
    'redis-kill': {
      begin: () => (redisDown = redisDown.then(redis.kill)),
      end: () => (redisDown = redisDown.then(redis.kill).then(() => redis.start())),
    },
    'redis-promote': { begin: () => (redisDown = redisDown.then(redis.promote)) },
    'redis-pause': pausing,
    'redis-long-pause': pausing,
    'kill-all': {
      begin: () => Promise.all([redis.kill(), ...PARTIES.map((party) => processes[party].end('SIGKILL'))]),
      end: () => Promise.all(PARTIES.map(start)),
    },
    'configuration-forbidden': troubling,
    'configuration-failing': troubling,
    'configuration-unserved': troubling,
    'script-flush': { begin: redis.forgetScripts },
    'redis-cut': { begin: (party) => toRedis[party].cut() },
    'redis-stall': { begin: (party) => toRedis[party].stall('everything'), end: (party) => toRedis[party].resume() },
    'redis-lost-replies': { begin: (party) => toRedis[party].stall('replies'), end: (party) => lose(toRedis[party]) },
    'redis-refuse': { begin: (party) => refuse(toRedis[party]), end: (party) => toRedis[party].refuse(false) },
    'graph-cut': { begin: (...its) => wayOf(...its).cut() },
    'graph-stall': { begin: (...its) => wayOf(...its).stall('everything'), end: (...its) => wayOf(...its).resume() },
    'graph-lost-replies': { begin: (...its) => wayOf(...its).stall('replies'), end: (...its) => lose(wayOf(...its)) },
    'graph-refuse': { begin: (...its) => refuse(wayOf(...its)), end: (...its) => wayOf(...its).refuse(false) },
    'tenant-paused': {
      begin: (_, { tenant }) => files?.pause(tenant ?? '', 1),
      end: (_, { tenant }) => files?.pause(tenant ?? '', -1),
    },
    'tenant-removed': {
      begin: (_, { tenant }) => files?.remove(tenant ?? '', 1),
      end: (_, { tenant }) => files?.remove(tenant ?? '', -1),
    },
    // Not there since before the processes were started.
    'tenant-late': { begin: () => undefined, end: (_, { tenant }) => files?.remove(tenant ?? '', -1) },
    'tenant-secret-rotated': {
      begin: (_, { tenant }) => standInOf(tenant).rotateSecret(),
      end: (_, { tenant }) => files?.setSecret(tenant ?? '', standInOf(tenant).secret()),
    },
    'tenants-file-broken': breaking,
    ...redis.ways,
  };

  async function begin(disturbance: Disturbance): Promise<void> {
    const { kind, party, tenant } = disturbance;
    const way = machinery[kind];
    if (way) await way.begin(party, disturbance);
    else graphOf(tenant).mood(kind, 1);
  }

  async function end(disturbance: Disturbance): Promise<void> {
    const { kind, party, tenant } = disturbance;
    const way = machinery[kind];
    if (way) await way.end?.(party, disturbance);
    else graphOf(tenant).mood(kind, -1);
  }

  async function endAll(): Promise<void> {
    redis.signal('SIGCONT');
    for (const party of PARTIES) processes[party].signal('SIGCONT');
    await Promise.all(PARTIES.map((party) => processes[party].end('SIGKILL')));
  }

  return {
    apiUrl: `http://127.0.0.1:${apiPort ?? 0}`,
    apiAheadS: clockAheadS.api,
    begin,
    end,
    mend: async () => {
      for (const { id, standIn } of tenants) {
        graphOf(id).mend();
        files?.setSecret(id, standIn.secret());
      }
      filesBroken = 0;
      onRepaired();
      files?.mend();
      redis.signal('SIGCONT');
      for (const proxy of Object.values(toRedis)) {
        proxy.resume();
        proxy.refuse(false);
      }
      for (const party of PARTIES) processes[party].signal('SIGCONT');
      if (clocks) await Promise.all(PARTIES.map((party) => clocks[party].set(clockAheadS[party])));
      await redisDown;
      await redis.mend?.();
      await Promise.all(PARTIES.map((party) => processes[party].start()));
    },
    leave: async () => {
      await endAll();
      return [
        ...redis.surprises,
        ...PARTIES.flatMap((party) => processes[party].surprises),
        ...(await redis.leftovers()),
      ];
    },
    close: async () => {
      await endAll();
      await Promise.all(Object.values(toRedis).map((proxy) => proxy.close()));
      await Promise.all(Array.from(graphs.values(), (graph) => graph.close()));
      files?.close();
      await redis.close();
      if (clocks) await Promise.all(Object.values(clocks).map((clock) => clock.close()));
    },
  };
}

/** The authorities of the Graphs, which share one, and of Redis, in one file. */
async function writeTrusted({ tenants, directory }: StageOptions, { caPem }: RedisBehind): Promise<string> {
  const ofGraph = tenants[0]?.standIn.environment(0)['NODE_EXTRA_CA_CERTS'] ?? '';
  if (!caPem) return ofGraph;
  const file = join(directory, 'trusted.pem');
  await writeFile(file, `${await readFile(ofGraph, 'utf8')}\n${caPem}`);
  return file;
}

function openRedis({ redis, directory, isRestricted, isEncrypted }: StageOptions): Promise<RedisBehind> {
  switch (redis) {
    case 'apart':
      return openRedisApart(isRestricted);
    case 'embedded':
      return openEmbeddedRedis(directory);
    case 'sentinel':
      return openSentinelRedis({ directory, isRestricted, isEncrypted });
    case 'cluster':
      return openClusterRedis({ directory, isRestricted, isEncrypted });
  }
}

async function openClocks(aheadS: Record<Party, number>) {
  const made = await Promise.all(PARTIES.map(async (party) => [party, await createFakeClock(aheadS[party])] as const));
  return Object.fromEntries(made) as Record<Party, FakeClock>;
}

function openFiles({ tenants, disturbances }: StageOptions, graphOf: (tenant: string) => TenantGraph): TenantsFiles {
  const filed = tenants.map(({ id, groupKey, standIn }) => ({
    id,
    groupKey,
    entryFor: (party: Party) => standIn.entry(graphOf(id).ways[party].port),
    secret: standIn.secret(),
  }));
  const late = disturbances.filter(({ kind }) => kind === 'tenant-late').map(({ tenant }) => tenant ?? '');
  return openTenantsFiles(filed, new Set(late));
}

/** What was asked was done, and nobody hears of it. */
function lose(proxy: Proxy): void {
  proxy.cut();
  proxy.resume();
}

function refuse(proxy: Proxy): void {
  proxy.refuse(true);
  proxy.cut();
}

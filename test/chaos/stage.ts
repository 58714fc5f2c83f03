// The environment of a run: Redis, Graph, a proxy on every path, three processes; and how each is disturbed.
import { connect } from 'node:net';
import { createFakeClock, MISSING_FAKETIME, type FakeClock } from '../support/fake-clock.ts';
import { REVOKING, type StandInGraph, type Troubles } from './stand-in-graph.ts';
import { PARTIES, type Disturbance, type Filter, type Kind, type Party } from './plan.ts';
import { supervise, type Supervised } from './processes.ts';
import { createProxy, type Proxy } from './proxy.ts';
import { openEmbeddedRedis, openRedisApart } from './redis-behind.ts';
import { INHERITED } from '../support/environment.ts';

/** The campaign's day is short: looks at 0.7, 2.1 and 4.9 s cover the longest stall and lag of a plan. */
const SHORT_DAY = {
  UNCERTAIN_LOOK_AFTER_MS: '700',
  HOLD_PROBE_MS: '200',
  ATTEMPT_TIMEOUT_MS: '2000',
  SHUTDOWN_GRACE_MS: '5000',
  GRAPH_WRITES_PER_20S: '20000',
};

/** One worker's clock steps back, the other's forth. */
const CLOCK_STEP_S: Record<Party, number> = { api: 0, 'worker-1': -3600, 'worker-2': 3600 };

export type StageOptions = {
  directory: string;
  standIn: StandInGraph;
  redis: 'apart' | 'embedded';
  groupKey: Uint8Array;
  operatorToken: string;
  concurrency: number;
  filter: Filter;
  isRestricted: boolean;
  clockAheadS: Record<Party, number>;
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

type Way = Partial<Record<'end', Act>> & { begin: Act };
type Act = (party: Party, disturbance: Disturbance) => unknown;

export async function openStage(options: StageOptions): Promise<Stage> {
  const { standIn, directory } = options;
  standIn.begin(options.filter);
  // An embedded Redis has the clock of whoever started it.
  const hasClocks = MISSING_FAKETIME === null && options.redis !== 'embedded';
  const clockAheadS = hasClocks ? options.clockAheadS : { api: 0, 'worker-1': 0, 'worker-2': 0 };
  const clocks = hasClocks ? await openClocks(clockAheadS) : null;
  const redis = await (options.redis === 'embedded'
    ? openEmbeddedRedis(directory)
    : openRedisApart(options.isRestricted));
  const toRedis = await openProxies(PARTIES, redis.connect);
  const toGraph = await openProxies(PARTIES, () => connect(standIn.port, '127.0.0.1'));
  const processes = Object.fromEntries(
    PARTIES.map((party) => {
      const [entry, portVariable] =
        party === 'api' ? (['src/main.ts', 'PORT'] as const) : (['workers/main.ts', 'WORKER_PORT'] as const);
      const env = {
        ...INHERITED,
        ...SHORT_DAY,
        ...standIn.environment(toGraph[party].port),
        ...redis.environment(toRedis[party].port),
        DEVICE_GROUP_KEYS: Buffer.from(options.groupKey).toString('base64'),
        OPERATOR_TOKEN: options.operatorToken,
        WORKER_CONCURRENCY: String(options.concurrency),
        HOST: '127.0.0.1',
        ...clocks?.[party].env,
      };
      return [party, supervise({ name: party, entry, portVariable, env, directory })];
    }),
  ) as Record<Party, Supervised>;
  const [apiPort] = await Promise.all(PARTIES.map((party) => processes[party].start()));

  const moods = new Map<Kind, number>();
  const mood = (kind: Kind, change: 1 | -1) => {
    moods.set(kind, (moods.get(kind) ?? 0) + change);
    standIn.moods(new Set([...moods].filter(([, count]) => count > 0).map(([name]) => name)));
  };
  let inTrouble: Disturbance[] = [];
  /** The one that began last counts, where several are of one configuration. */
  const troubled = (now: Disturbance[]) => {
    inTrouble = now;
    standIn.troubles(new Map(now.map(({ configurationId, kind }) => [configurationId ?? '', kind])) as Troubles);
  };
  const troubling: Way = {
    begin: (_, disturbance) => troubled([...inTrouble, disturbance]),
    end: (_, disturbance) => troubled(inTrouble.filter((other) => other !== disturbance)),
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
    kill: { begin: (party) => processes[party].end('SIGKILL'), end: (party) => processes[party].start() },
    terminate: { begin: (party) => processes[party].end('SIGTERM'), end: (party) => processes[party].start() },
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
      end: () => Promise.all(PARTIES.map((party) => processes[party].start())),
    },
    'configuration-forbidden': troubling,
    'configuration-failing': troubling,
    'configuration-unserved': troubling,
    'script-flush': { begin: redis.forgetScripts },
    'redis-cut': { begin: (party) => toRedis[party].cut() },
    'redis-stall': { begin: (party) => toRedis[party].stall('everything'), end: (party) => toRedis[party].resume() },
    'redis-lost-replies': { begin: (party) => toRedis[party].stall('replies'), end: (party) => lose(toRedis[party]) },
    'redis-refuse': { begin: (party) => refuse(toRedis[party]), end: (party) => toRedis[party].refuse(false) },
    'graph-cut': { begin: (party) => toGraph[party].cut() },
    'graph-stall': { begin: (party) => toGraph[party].stall('everything'), end: (party) => toGraph[party].resume() },
    'graph-lost-replies': { begin: (party) => toGraph[party].stall('replies'), end: (party) => lose(toGraph[party]) },
    'graph-refuse': { begin: (party) => refuse(toGraph[party]), end: (party) => toGraph[party].refuse(false) },
  };

  async function begin(disturbance: Disturbance): Promise<void> {
    const { kind, party } = disturbance;
    const way = machinery[kind];
    if (way) await way.begin(party, disturbance);
    else mood(kind, 1);
    if (REVOKING.includes(kind)) standIn.revokeTokens();
  }

  async function end(disturbance: Disturbance): Promise<void> {
    const { kind, party } = disturbance;
    const way = machinery[kind];
    if (way) await way.end?.(party, disturbance);
    else mood(kind, -1);
  }

  async function endAll(): Promise<void> {
    redis.signal('SIGCONT');
    for (const party of PARTIES) processes[party].signal('SIGCONT');
    await Promise.all(PARTIES.map((party) => processes[party].end('SIGKILL')));
  }

  const proxies = [...Object.values(toRedis), ...Object.values(toGraph)];
  return {
    apiUrl: `http://127.0.0.1:${apiPort ?? 0}`,
    apiAheadS: clockAheadS.api,
    begin,
    end,
    mend: async () => {
      moods.clear();
      standIn.moods(new Set());
      troubled([]);
      redis.signal('SIGCONT');
      for (const proxy of proxies) {
        proxy.resume();
        proxy.refuse(false);
      }
      for (const party of PARTIES) processes[party].signal('SIGCONT');
      if (clocks) await Promise.all(PARTIES.map((party) => clocks[party].set(clockAheadS[party])));
      await redisDown;
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
      await Promise.all(proxies.map((proxy) => proxy.close()));
      await redis.close();
      if (clocks) await Promise.all(Object.values(clocks).map((clock) => clock.close()));
    },
  };
}

async function openClocks(aheadS: Record<Party, number>) {
  const made = await Promise.all(PARTIES.map(async (party) => [party, await createFakeClock(aheadS[party])] as const));
  return Object.fromEntries(made) as Record<Party, FakeClock>;
}

async function openProxies(parties: readonly Party[], to: Parameters<typeof createProxy>[0]) {
  const made = await Promise.all(parties.map(async (party) => [party, await createProxy(to)] as const));
  return Object.fromEntries(made) as Record<Party, Proxy>;
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

// A worker killed while a hold's probe is on its way: the next probe goes within a bounded time, and nothing is lost or created twice.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startOtherGraph, TROUBLES, type Trouble } from '../support/other-graph.ts';
import { startProcess, type TestProcess } from '../support/process.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';
import { aRun, openTestTenant, type OwnTenant } from '../support/tenant.ts';
import { until } from '../support/until.ts';

const ATTEMPT_TIMEOUT_MS = 2000;
const HOLD_PROBE_MS = 200;
/** The killed worker's own job comes back only after 20 to 40 s: what goes on before that was given back. */
const GIVEN_BACK_WITHIN_MS = 15_000;
const OF_EACH = 6;

let graph: Awaited<ReturnType<typeof startOtherGraph>>;
let redis: TestRedis;
let queue: OwnTenant;
const workers: TestProcess[] = [];

beforeEach(async () => {
  graph = await startOtherGraph(3, { lostShare: 0 });
  redis = await startTestRedis();
  queue = await openTestTenant(redis, { writesPer20s: 20_000, holdProbeMs: HOLD_PROBE_MS });
});
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.close()));
  await queue.close();
  await Promise.all([redis.close(), graph.close()]);
});

async function startWorker(): Promise<TestProcess> {
  const worker = startProcess('workers/main.ts', {
    ...graph.environment(graph.port),
    REDIS_URL: redis.url,
    HOST: '127.0.0.1',
    WORKER_PORT: '0',
    GRAPH_WRITES_PER_20S: '20000',
    HOLD_PROBE_MS: String(HOLD_PROBE_MS),
    ATTEMPT_TIMEOUT_MS: String(ATTEMPT_TIMEOUT_MS),
    UNCERTAIN_LOOK_AFTER_MS: '200',
  });
  workers.push(worker);
  await worker.line('working');
  return worker;
}

const accept = (number: number, hardwareConfigurationId: string) =>
  queue.deliveries.accept(aRun(number, { hardwareConfigurationId }), Date.now());
const troubleAll = (ids: readonly string[], trouble: Trouble | null) => ids.forEach((id) => graph.trouble(id, trouble));
const holds = async () => (await queue.budget.state()).holds;

test.each([
  ['one configuration', (ids: readonly string[]) => ids.slice(1)],
  ['the tenant', (ids: readonly string[]) => ids],
])(
  'the probe of a hold of %s · is given back · and all is created once',
  async (whose, pick) => {
    const { configurationIds } = graph;
    const held = pick(configurationIds);
    const scoped = (hold: { hardwareConfigurationId: string | null }) =>
      (hold.hardwareConfigurationId === null) === (whose === 'the tenant');
    troubleAll(held, TROUBLES.forbidden);
    const killed = await startWorker();
    let number = 0;
    for (const id of configurationIds) for (let each = 0; each < OF_EACH; each += 1) await accept((number += 1), id);
    await until('it is held', async () => (await holds()).some(scoped));

    troubleAll(held, TROUBLES.hanging);
    const isProbing = async () => (await holds()).some(({ probe }) => probe !== null);
    // What was sent before it was held may hang too, and is no probe.
    const hanging = () => graph.creates().filter(({ status }) => status === null).length;
    await until('a probe is on its way', async () => hanging() > 0 && (await isProbing()), 20_000);
    killed.signal('SIGKILL');
    await killed.ended;
    expect(await isProbing()).toBe(true);
    const before = graph.records().length;
    troubleAll(held, null);

    // The killed worker may have had all jobs there were, and these come back later.
    for (const id of held) await accept((number += 1), id);
    await startWorker();
    const startedAt = performance.now();
    await until('another one goes', () => graph.records().length > before, 60_000);
    expect(performance.now() - startedAt).toBeLessThan(GIVEN_BACK_WITHIN_MS);
    await until('all is delivered', async () => (await queue.deliveries.counts()).delivered === number, 90_000);
    expect(graph.records()).toHaveLength(number);
    expect(new Set(graph.records().map(({ deviceName }) => deviceName)).size).toBe(number);
    expect(await holds()).toEqual([]);
  },
  180_000,
);

// A worker killed while it drives a replay at a rate: another goes on, every dead letter is replayed once, and the rate is kept.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { buryDeliveries } from '../support/dead-letters.ts';
import { startOtherGraph } from '../support/other-graph.ts';
import { startProcess, type TestProcess } from '../support/process.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';
import { openTestTenant, type OwnTenant } from '../support/tenant.ts';
import { until } from '../support/until.ts';

const MATCHED = 80;
const PER_SECOND = 20;

let graph: Awaited<ReturnType<typeof startOtherGraph>>;
let redis: TestRedis;
let queue: OwnTenant;
const workers: TestProcess[] = [];

beforeEach(async () => {
  graph = await startOtherGraph(1, { lostShare: 0 });
  redis = await startTestRedis();
  queue = await openTestTenant(redis, { writesPer20s: 20_000 });
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
    UNCERTAIN_LOOK_AFTER_MS: '200',
  });
  workers.push(worker);
  await worker.line('working');
  return worker;
}

test('the worker that drives it · is killed · and another one ends it, with each created once', async () => {
  const members = { hardwareConfigurationId: graph.configurationIds[0] ?? '' };
  await buryDeliveries({ redis, queue, members }, MATCHED, (number) => 1000 + number);
  const killed = await startWorker();
  const started = await queue.replays.start({}, { perSecond: PER_SECOND, by: null });
  if (started.kind !== 'started') throw new Error(started.kind);
  const { id } = started.replay;
  await queue.wakeReplay();
  const replay = async () => await queue.replays.find(id);
  await until('it has begun', async () => ((await replay())?.replayed ?? 0) > 10, 20_000);
  killed.signal('SIGKILL');
  await killed.ended;
  const left = await replay();
  expect(left).toMatchObject({ state: 'running' });
  expect(left?.replayed).toBeLessThan(MATCHED);

  const another = await startWorker();
  const ended = await until('it is done', async () => ((await replay())?.state === 'done' ? replay() : null), 60_000);
  expect(ended).toMatchObject({ matched: MATCHED, replayed: MATCHED, skipped: 0 });
  expect((ended.endedAt ?? 0) - ended.startedAt).toBeGreaterThanOrEqual(((MATCHED - 1) / PER_SECOND) * 1000);
  expect(await another.line('replay ended')).toMatchObject({
    replayId: id,
    tenantId: 'default',
    appId: null,
    filter: {},
    perSecond: PER_SECOND,
    matched: MATCHED,
    replayed: MATCHED,
    skipped: 0,
    seconds: ((ended.endedAt ?? 0) - ended.startedAt) / 1000,
  });
  // The killed worker's own jobs come back after 20 to 40 s.
  await until('all are created', async () => (await queue.deliveries.counts()).delivered === MATCHED, 90_000);
  expect(graph.records()).toHaveLength(MATCHED);
  expect(new Set(graph.records().map(({ deviceName }) => deviceName)).size).toBe(MATCHED);
}, 180_000);

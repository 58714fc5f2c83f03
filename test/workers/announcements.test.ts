// An operator is told of a hold within 5 s, once, although two of three processes are killed in between.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startOtherGraph, TROUBLES } from '../support/other-graph.ts';
import { startProcess, type TestProcess } from '../support/process.ts';
import { startReceiver, verifySignature, type Receiver } from '../support/receiver.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';
import { aRun, openTestTenant, type OwnTenant } from '../support/tenant.ts';
import { until } from '../support/until.ts';

const TOLD_WITHIN_MS = 5000;

let graph: Awaited<ReturnType<typeof startOtherGraph>>;
let redis: TestRedis;
let queue: OwnTenant;
let receiver: Receiver;
let workers: TestProcess[];

beforeEach(async () => {
  [graph, redis, receiver] = await Promise.all([
    startOtherGraph(5, { lostShare: 0 }),
    startTestRedis(),
    startReceiver(),
  ]);
  queue = await openTestTenant(redis, { holdProbeMs: 500 });
  const env = {
    ...graph.environment(graph.port),
    ...receiver.environment(),
    REDIS_URL: redis.url,
    HOST: '127.0.0.1',
    WORKER_PORT: '0',
    // A probe that is lost with its process counts as lost after some seconds.
    HOLD_PROBE_MS: '500',
    ATTEMPT_TIMEOUT_MS: '2000',
  };
  workers = Array.from({ length: 3 }, () => startProcess('workers/main.ts', env));
  const isWorking = ({ lines }: TestProcess) => lines.some(({ msg }) => msg === 'working');
  await until('all work', () => workers.every(isWorking), 90_000);
}, 120_000);
afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.close()));
  await queue.close();
  await Promise.all([redis.close(), graph.close(), receiver.close()]);
});

const HELD = 'held: nobody calls Graph until a probe succeeds';
const hasSeen = (worker: TestProcess) => worker.lines.some(({ msg }) => msg === HELD);

test('a hold whose finder is killed, and another process with it · is told by the third, once · and so is its end', async () => {
  const { configurationIds } = graph;
  const [hardwareConfigurationId = ''] = configurationIds;
  graph.trouble(hardwareConfigurationId, TROUBLES.forbidden);
  await queue.deliveries.accept(aRun(1, { hardwareConfigurationId }), Date.now());
  const finder = await until('one holds', () => workers.find(hasSeen), 20_000);
  const [, other, third] = [finder, ...workers.filter((worker) => worker !== finder)];
  finder.signal('SIGKILL');
  other?.signal('SIGKILL');
  const heldAt = performance.now();
  expect(receiver.received).toEqual([]);

  const began = await receiver.untilTaken('hold.began', TOLD_WITHIN_MS);
  expect(began.at - heldAt).toBeLessThan(TOLD_WITHIN_MS);
  expect(verifySignature(began)).toMatchObject({ tenant: 'default', reason: 'forbidden' });
  expect(await third?.line('announced: an operator was told')).toMatchObject({
    webhookId: began.id,
    type: 'hold.began',
    tenantId: 'default',
    attempts: 1,
  });

  // The killed process's own delivery comes back later: another one proves that creates work.
  graph.trouble(hardwareConfigurationId, null);
  await queue.deliveries.accept(aRun(2, { hardwareConfigurationId }), Date.now());
  await receiver.untilTaken('hold.ended', 30_000);
  expect(receiver.received.map(({ body }) => body.type)).toEqual(['hold.began', 'hold.ended']);
  for (const worker of workers) expect(worker.stdout()).not.toContain('not-for-logs');
}, 90_000);

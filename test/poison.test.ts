// A backlog over five configurations of which three are poison, before a stand-in for Graph that is not our sandbox: two flow on, nothing dies, and once it is well again everything is there once.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startOtherGraph, TROUBLES } from './support/other-graph.ts';
import { startProcess, type TestProcess } from './support/process.ts';
import { startTestRedis, type TestRedis } from './support/redis.ts';
import { aRun, openTestTenant } from './support/tenant.ts';
import { until } from './support/until.ts';
import type { OwnTenant } from './support/tenant.ts';

const WRITES_PER_20S = 400;
const OF_EACH = 160;
const IN_FRONT = 40;
const OPERATOR_TOKEN = 'the-operators-of-this-test-know-it';

type Hold = { reason: string; hardwareConfigurationId?: string; deliveries?: number };

let graph: Awaited<ReturnType<typeof startOtherGraph>>;
let redis: TestRedis;
let queue: OwnTenant;
let worker: TestProcess;
let api: TestProcess;
let url: string;

beforeAll(async () => {
  graph = await startOtherGraph(7, { configurations: 5, lostShare: 0 });
  redis = await startTestRedis();
  queue = await openTestTenant(redis, { writesPer20s: WRITES_PER_20S });
  const environment = {
    ...graph.environment(graph.port),
    REDIS_URL: redis.url,
    OPERATOR_TOKEN,
    DEVICE_GROUP_KEYS: Buffer.alloc(48, 'poison').toString('base64'),
    HOST: '127.0.0.1',
    PORT: '0',
    WORKER_PORT: '0',
    GRAPH_WRITES_PER_20S: String(WRITES_PER_20S),
    HOLD_PROBE_MS: '500',
    UNCERTAIN_LOOK_AFTER_MS: '300',
  };
  api = startProcess('src/main.ts', environment);
  url = `http://127.0.0.1:${Number((await api.line('listening'))['port'])}`;
  const [, , forbidden = '', unserved = '', failing = ''] = graph.configurationIds;
  graph.trouble(forbidden, TROUBLES.forbidden);
  graph.trouble(unserved, TROUBLES.unserved);
  graph.trouble(failing, TROUBLES.failing);
  await fill([forbidden, unserved, failing]);
  worker = startProcess('workers/main.ts', environment);
}, 60_000);
afterAll(async () => {
  await Promise.all([worker.close(), api.close()]);
  await queue.close();
  await Promise.all([redis.close(), graph.close()]);
});

/** Some results of each poison configuration stand in front of everybody; the others come mixed. */
async function fill(poison: readonly string[]): Promise<void> {
  const inFront = poison.flatMap((id) => Array.from({ length: IN_FRONT }, () => id));
  const behind = Array.from({ length: OF_EACH }, (_, index) =>
    graph.configurationIds.filter((id) => !poison.includes(id) || index >= IN_FRONT),
  ).flat();
  await Promise.all(
    [...inFront, ...behind].map((hardwareConfigurationId, index) =>
      queue.deliveries.accept(aRun(index, { hardwareConfigurationId }), Date.now()),
    ),
  );
}

async function readHolds(): Promise<Hold[]> {
  const response = await fetch(`${url}/v1/status`, { headers: { Authorization: `Bearer ${OPERATOR_TOKEN}` } });
  const { tenants } = (await response.json()) as { tenants: { holds: Hold[] }[] };
  return tenants[0]?.holds ?? [];
}

describe('a backlog of 800 with three poison configurations of five', () => {
  test('the other two · are delivered at the budget all the while · and the three are held, each alone', async () => {
    const sound = graph.configurationIds.slice(0, 2);
    const created = () => graph.creates().filter(({ configurationId }) => sound.includes(configurationId));
    const startedAt = performance.now();
    await until('the sound ones are created', () => created().length >= 2 * OF_EACH, 90_000);
    const seconds = (performance.now() - startedAt) / 1000;
    const [first, last] = [created().at(0)?.at ?? 0, created().at(-1)?.at ?? 0];
    const perSecond = ((2 * OF_EACH - 1) * 1000) / (last - first);
    expect(perSecond).toBeGreaterThanOrEqual(0.9 * (WRITES_PER_20S / 20));
    expect(seconds).toBeLessThan((2 * OF_EACH) / (0.9 * (WRITES_PER_20S / 20)) + 20);
    const [, , forbidden = '', unserved = '', failing = ''] = graph.configurationIds;
    const holds = await until('each is held alone', async () => {
      const present = await readHolds();
      return present.length === 3 && present.every(({ hardwareConfigurationId: of }) => of !== undefined) && present;
    });
    const reasons = new Map(holds.map((hold) => [hold.hardwareConfigurationId, hold.reason]));
    expect(Object.fromEntries(reasons)).toEqual({
      [forbidden]: 'forbidden',
      [unserved]: 'route-not-served',
      [failing]: 'graph-unavailable',
    });
    const kept = holds.reduce((sum, { deliveries = 0 }) => sum + deliveries, 0);
    expect(kept).toBeGreaterThan(3 * OF_EACH - 60);
    expect(await queue.deliveries.counts()).toMatchObject({ dead: 0, delivered: 2 * OF_EACH });
    const metrics = await (await fetch(`${url}/metrics`)).text();
    for (const reason of ['forbidden', 'route-not-served', 'graph-unavailable']) {
      expect(metrics).toContain(`runstate_held{reason="${reason}"} 0`);
      expect(metrics).toContain(`runstate_held_configurations{reason="${reason}"} 1`);
    }
    expect(metrics).not.toContain(forbidden);
    const ready = await fetch(`${url}/readyz`);
    expect([ready.status, ((await ready.json()) as { status: string }).status]).toEqual([200, 'degraded']);
    const probes = graph.creates().filter(({ configurationId }) => !sound.includes(configurationId));
    expect(probes.length).toBeLessThan(150);
  }, 120_000);

  test('once they are well again · everything is created once · without anybody doing anything', async () => {
    for (const id of graph.configurationIds) graph.trouble(id, null);
    await until(
      'everything is delivered',
      async () => (await queue.deliveries.counts()).delivered === 5 * OF_EACH,
      120_000,
    );
    const names = graph.records().map(({ configurationId, deviceName }) => `${configurationId} ${deviceName ?? ''}`);
    expect([names.length, new Set(names).size]).toEqual([5 * OF_EACH, 5 * OF_EACH]);
    expect(await queue.deliveries.counts()).toMatchObject({ dead: 0, queued: 0, waiting: 0, delivering: 0 });
    expect(await readHolds()).toEqual([]);
    expect(await queue.redis.keys(`${queue.keys.root}:parked*`)).toEqual([]);
    expect(worker.lines.filter(({ msg }) => msg.startsWith('defect'))).toEqual([]);
  }, 150_000);
});

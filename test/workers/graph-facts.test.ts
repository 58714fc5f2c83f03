// What a tenant's Graph takes, learnt by one worker: kept in Redis, shown by the API, known to the next worker from its start.
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { REFUSAL_REMEMBERED_MS } from '../../src/domain/operations/graph-facts.ts';
import { statusSchema } from '../../src/http/response/response-schemas.ts';
import { createSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts';
import { openGraphFacts } from '../../workers/graph-facts.ts';
import { GROUP_KEY } from '../support/device.ts';
import { startApi, startProcess, type TestProcess } from '../support/process.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';
import { aRun, openTestTenant, type OwnTenant } from '../support/tenant.ts';
import { until } from '../support/until.ts';

const OPERATOR_TOKEN = 'operators-of-the-test-of-what-graph-takes';

let redis: TestRedis;
let sandbox: Sandbox;
let queue: OwnTenant;
let opened: { close: () => unknown }[];
beforeAll(async () => {
  redis = await startTestRedis();
  sandbox = await createSandbox();
});
afterAll(async () => {
  await sandbox.close();
  await redis.close();
});
beforeEach(async () => {
  await redis.client.flushall();
  sandbox.reset();
  queue = await openTestTenant(redis, { purpose: 'answer' });
  opened = [];
});
afterEach(async () => {
  await Promise.all(opened.map(({ close }) => close()));
  await queue.close();
});

async function startWorker(): Promise<TestProcess> {
  const worker = startProcess('workers/main.ts', {
    HOST: '127.0.0.1',
    WORKER_PORT: '0',
    REDIS_URL: redis.url,
    GRAPH_WRITES_PER_20S: '20000',
    UNCERTAIN_LOOK_AFTER_MS: '50',
    ...sandbox.environment(),
  });
  opened.push(worker);
  await worker.line('working');
  return worker;
}

async function deliver(number: number): Promise<void> {
  const accepted = await queue.deliveries.accept(aRun(number, CONFIGURATION), queue.clock.now());
  if (accepted.kind !== 'accepted') throw new Error(accepted.kind);
  await until('it is delivered', async () => {
    const delivery = await queue.deliveries.find(accepted.delivery.id);
    return delivery?.status === 'delivered';
  });
}
const CONFIGURATION = { hardwareConfigurationId: '1d5c8a52-7e0f-4f1b-9a6d-3c2b1e0f9a81' };

test('a worker learns what Graph takes · the API shows it with its time · and another worker need not ask again', async () => {
  const { api, url } = await startApi({ REDIS_URL: redis.url, DEVICE_GROUP_KEYS: GROUP_KEY, OPERATOR_TOKEN });
  opened.push(api);
  const graphOf = async () => {
    const response = await fetch(`${url}/v1/status`, { headers: { Authorization: `Bearer ${OPERATOR_TOKEN}` } });
    return statusSchema.parse(await response.json()).tenants[0]?.graph;
  };
  expect(await graphOf()).toMatchObject({
    createProven: false,
    createProvenAt: null,
    filterTaken: null,
    orderByTaken: null,
    deleteByKeyTaken: null,
    oneRowPerDevice: false,
  });
  sandbox.set({ filterSupport: '400' });
  sandbox.script('next create: 504 after the write');
  const first = await startWorker();
  await deliver(1);
  const seen = await until('it is known', async () => {
    const graph = await graphOf();
    return graph?.createProven && graph.filterTaken === false && graph.orderByTaken && graph;
  });
  for (const at of [seen.createProvenAt, seen.filterTakenAt, seen.orderByTakenAt]) {
    expect(Math.abs(Date.parse(at ?? '') - Date.now())).toBeLessThan(60_000);
  }
  await deliver(2);
  expect((await graphOf())?.createProvenAt).toBe(seen.createProvenAt);
  await first.close();

  const asked = () => sandbox.requests().filter(({ path }) => path.includes('filter')).length;
  const before = asked();
  expect(before).toBeGreaterThan(0);
  await startWorker();
  sandbox.script('next create: 504 after the write');
  await deliver(3);
  expect(asked()).toBe(before);
}, 60_000);

const open = (subject: string, clock = queue.clock.now) =>
  openGraphFacts(queue.facts, {
    subject,
    clock,
    onTrouble: (error) => {
      throw error;
    },
  });
const known = (fact: 'filterTaken' | 'createProven') =>
  until(`${fact} is kept`, async () => (await queue.facts.read())[fact]);

test('an option that was refused · is tried again after some time · also by a worker that learned of it from another', async () => {
  open('graph').options.note('$filter', false);
  await known('filterTaken');
  const second = open('graph');
  await until('the second worker knows', () => second.options.taken('$filter') === false);
  const later = open('graph', () => queue.clock.now() + REFUSAL_REMEMBERED_MS);
  later.options.note('$orderby', true);
  await until('the third worker kept something', async () => (await queue.facts.read()).orderByTaken);
  expect(later.options.taken('$filter')).toBeNull();
});

test('a worker for another tenant or Graph · forgets what was seen of the one before · and none for the same', async () => {
  open('a').attempted({ kind: 'created', deviceRunStateId: 'r', graph: { status: 201, requestId: null } });
  const { at } = await known('createProven');
  open('a').options.note('$filter', true);
  await known('filterTaken');
  expect((await queue.facts.read()).createProven?.at).toBe(at);
  open('b').options.note('$filter', false);
  await until('it forgot', async () => (await queue.facts.read()).filterTaken?.holds === false);
  expect((await queue.facts.read()).createProven).toBeNull();
});

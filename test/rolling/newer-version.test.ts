// Whole processes and what a later version stored: this version says that it leaves it alone, and the later one takes it.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { READS_FORMAT } from '../../src/queue/lua/constants.ts';
import { createKeys } from '../../src/queue/redis/keys.ts';
import { GROUP_KEY, runResult } from '../support/device.ts';
import { startOtherGraph } from '../support/other-graph.ts';
import { startProcess, type TestProcess } from '../support/process.ts';
import { send } from '../support/raw-http.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';
import { submitTo } from '../support/submit.ts';
import { until } from '../support/until.ts';
import { laterVersion, presentVersion, type Version } from '../support/versions.ts';

const NEWER = READS_FORMAT + 1;
const OPERATOR_TOKEN = 'operator-token-of-the-rolling-tests-1';
const keys = createKeys('runstate', 'default');

let redis: TestRedis;
let graph: Awaited<ReturnType<typeof startOtherGraph>>;
let later: Version;
const processes: TestProcess[] = [];

beforeEach(async () => {
  graph = await startOtherGraph(1, { lostShare: 0 });
  redis = await startTestRedis();
  later = laterVersion();
});
afterEach(async () => {
  await Promise.all(processes.splice(0).map((process) => process.close()));
  await Promise.all([redis.close(), graph.close()]);
  later.remove();
});

async function start(entry: 'src/main.ts' | 'workers/main.ts', directory: string) {
  const isApi = entry === 'src/main.ts';
  const process = startProcess(`${directory}/${entry}`, {
    REDIS_URL: redis.url,
    HOST: '127.0.0.1',
    DEVICE_GROUP_KEYS: GROUP_KEY,
    OPERATOR_TOKEN,
    ...(isApi ? { PORT: '0' } : { WORKER_PORT: '0', ...graph.environment(graph.port) }),
  });
  processes.push(process);
  const { port } = await process.line(isApi ? 'listening' : 'working');
  return { process, port: Number(port) };
}

const aRun = (runId: string) =>
  JSON.stringify(runResult({ runId, hardwareConfigurationId: graph.configurationIds[0] }));

async function submit(port: number, runId: string): Promise<{ id: string; path: string }> {
  const answer = await submitTo(port, aRun(runId));
  expect(answer.status).toBe(202);
  const { deliveryId } = answer.body as { deliveryId: string };
  return { id: deliveryId, path: `/v1/deliveries/${deliveryId}` };
}

const authorization = `Bearer ${OPERATOR_TOKEN}`;
const read = (port: number, path: string) => send({ port, method: 'GET', path, headers: { authorization } });
const refusedForNow = { status: 503, headers: { 'retry-after': expect.stringMatching(/^\d+$/) as unknown } };
const leftAlone = ({ lines }: TestProcess) => lines.filter(({ msg }) => msg === 'left alone: data of a newer version');

test('a record of a later version · waits while there is none · and is taken by the first process of it', async () => {
  const api = await start('src/main.ts', presentVersion);
  const marked = await submit(api.port, 'run-marked');
  const text = `v${NEWER} ${(await redis.client.get(keys.delivery(marked.id))) ?? ''}`;
  await redis.client.set(keys.delivery(marked.id), text);
  const worker = await start('workers/main.ts', presentVersion);
  await until('the worker says so', () => leftAlone(worker.process).length > 0, 20_000);
  const other = await submit(api.port, 'run-other');
  await until('the other one is created', () => graph.records().length === 1, 20_000);
  expect(await redis.client.get(keys.delivery(marked.id))).toBe(text);
  expect(await read(api.port, marked.path)).toMatchObject(refusedForNow);
  expect(await read(api.port, other.path)).toMatchObject({ status: 200 });
  expect(await submitTo(api.port, aRun('run-marked'))).toMatchObject(refusedForNow);

  await start('workers/main.ts', later.directory);
  await until('both are created', () => graph.records().length === 2, 60_000);
  await until('it is read', async () => (await read(api.port, marked.path)).status === 200);
  expect(processes.flatMap(({ lines }) => lines.filter(({ msg }) => msg.startsWith('defect')))).toEqual([]);
  expect(leftAlone(worker.process)).toHaveLength(1);
}, 120_000);

test('a tenant that a later version took over · is refused and left alone by this one · and served by that one', async () => {
  const api = await start('src/main.ts', presentVersion);
  const worker = await start('workers/main.ts', presentVersion);
  await redis.client.hset(keys.counts, 'format', NEWER);
  expect(await submitTo(api.port, aRun('run-1'))).toMatchObject(refusedForNow);
  for (const { port } of [api, worker]) {
    const ready = await read(port, '/readyz');
    expect(ready.status).toBe(503);
    expect(JSON.stringify(ready.body)).toContain(`format ${NEWER}`);
  }
  const laterApi = await start('src/main.ts', later.directory);
  await submit(laterApi.port, 'run-1');
  await start('workers/main.ts', later.directory);
  await until('it is created', () => graph.records().length === 1, 60_000);
  expect((await read(laterApi.port, '/readyz')).status).toBe(200);
  expect(leftAlone(worker.process).length).toBeLessThanOrEqual(1);
}, 120_000);

// Redis, or the worker itself, stands still in the middle of an attempt: told as what it is, and nobody else is blamed or held for it.
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts';
import { createProxy, type Proxy } from '../chaos/proxy.ts';
import { startProcess, type TestProcess } from '../support/process.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';
import { aRun, openTestTenant, type OwnTenant } from '../support/tenant.ts';
import { until } from '../support/until.ts';

/** An attempt announced 10 s ago is not sent any more. */
const STANDSTILL_MS = 11_000;
/** More would be held for, were they Graph's fault. */
const MANY = 8;

let redis: TestRedis;
let proxy: Proxy;
let sandbox: Sandbox;
let worker: TestProcess;
let queue: OwnTenant;
let onAnnounced: (() => void) | null;

/** Tells when the worker announces a create. */
function toRedis(): Socket {
  const socket = connect(`${redis.directory}/redis.sock`);
  const write: (bytes: Buffer) => boolean = socket.write.bind(socket);
  socket.write = (bytes: Buffer) => {
    if (bytes.includes('"sends":"create"')) onAnnounced?.();
    return write(bytes);
  };
  return socket;
}

beforeEach(async () => {
  onAnnounced = null;
  redis = await startTestRedis();
  proxy = await createProxy(toRedis);
  sandbox = await createSandbox();
  queue = await openTestTenant(redis, { purpose: 'answer' });
  worker = startProcess('workers/main.ts', {
    HOST: '127.0.0.1',
    WORKER_PORT: '0',
    REDIS_URL: `redis://127.0.0.1:${proxy.port}`,
    GRAPH_WRITES_PER_20S: '20000',
    UNCERTAIN_LOOK_AFTER_MS: '200',
    ATTEMPT_TIMEOUT_MS: '3000',
    ...sandbox.environment(),
  });
  await worker.line('working');
});
afterEach(async () => {
  worker.signal('SIGCONT');
  await worker.close();
  await queue.close();
  await sandbox.close();
  await proxy.close();
  await redis.close();
});

const accept = (number: number) =>
  queue.deliveries.accept(aRun(number, { hardwareConfigurationId: sandbox.configurationIds[0] ?? '' }), Date.now());
const said = (msg: string) => worker.lines.filter((line) => line.msg === msg);

async function untilAllDelivered(count: number): Promise<void> {
  await until('all are delivered', async () => (await queue.deliveries.counts()).delivered === count, 60_000);
  expect(sandbox.records()).toHaveLength(count);
  expect(worker.lines.filter(({ msg }) => /^held|^defect/.test(msg))).toEqual([]);
}

test('Redis stalls after an attempt was announced · is reported as such, spends no attempt · and nothing is held', async () => {
  // With a token at hand, whatever takes long is not its endpoint.
  await accept(0);
  await until('the first is created', () => said('attempt').length === 1, 10_000);
  const announced = Promise.withResolvers<undefined>();
  onAnnounced = () => {
    proxy.stall('replies');
    announced.resolve(undefined);
  };
  await Promise.all(Array.from({ length: MANY }, (_, number) => accept(number + 1)));
  await announced.promise;
  onAnnounced = null;
  await delay(STANDSTILL_MS);
  proxy.resume();
  await untilAllDelivered(MANY + 1);
  const outcomes = said('attempt').map(({ outcome, detail }) => [outcome, detail]);
  expect(outcomes.filter(([outcome]) => outcome !== 'created' && outcome !== 'delayed')).toEqual([]);
  expect(outcomes.some(([outcome]) => outcome === 'delayed')).toBe(true);
}, 90_000);

test('the worker is suspended while creates are on their way · is reported as such · and Graph is not held for it', async () => {
  sandbox.set({ latencyMs: [500, 500] });
  await Promise.all(Array.from({ length: MANY }, (_, number) => accept(number)));
  await until('creates are on their way', () => (sandbox.stats().byOperation['create'] ?? 0) >= 6);
  worker.signal('SIGSTOP');
  await delay(5000);
  worker.signal('SIGCONT');
  await untilAllDelivered(MANY);
}, 90_000);

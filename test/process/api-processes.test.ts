// API_PROCESSES: several real processes on one port, killed, scraped and stopped.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { GROUP_KEY, runResult, sign } from '../support/device.ts';
import { startProcess, type TestProcess } from '../support/process.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

let redis: TestRedis;
let api: TestProcess;

beforeEach(async () => {
  redis = await startTestRedis();
});
afterEach(async () => {
  await api.close();
  await redis.close();
});

const start = (more: Record<string, string> = {}) => {
  api = startProcess('src/main.ts', {
    HOST: '127.0.0.1',
    PORT: '0',
    API_PROCESSES: '2',
    REDIS_URL: redis.url,
    DEVICE_GROUP_KEYS: GROUP_KEY,
    DEVICE_RATE_PER_MIN: '0',
    ...more,
  });
};

const listening = () => api.lines.filter(({ msg }) => msg === 'listening');

async function startTwo(): Promise<string> {
  start();
  await until('both listen', () => listening().length === 2, 20_000);
  expect(new Set(listening().map(({ port }) => port)).size).toBe(1);
  return `http://127.0.0.1:${Number(listening()[0]?.['port'])}`;
}

/** Each on a connection of its own, so that both processes have some. */
async function submitAll(url: string, numbers: readonly number[]): Promise<number[]> {
  return Promise.all(
    numbers.map(async (number) => {
      const body = JSON.stringify(runResult({ runId: `run-${number}` }));
      const headers = { 'Content-Type': 'application/json', Connection: 'close', ...sign({ body }) };
      return (await fetch(`${url}/v1/run-results`, { method: 'POST', headers, body })).status;
    }),
  );
}

const scrape = async (url: string) => (await fetch(`${url}/metrics`, { headers: { Connection: 'close' } })).text();

const acceptedIn = (text: string) =>
  Number(/^runstate_submissions_total\{outcome="accepted"[^}]*\} (\d+)$/m.exec(text)?.[1]);

const childrenOf = async () => {
  const { readFile } = await import('node:fs/promises');
  const text = await readFile(`/proc/${api.pid}/task/${api.pid}/children`, 'utf8');
  return text.trim().split(' ').filter(Boolean).map(Number);
};

const isGone = (pid: number) => {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
};

test('two processes · serve one port · and any scrape is about both', async () => {
  const url = await startTwo();
  const numbers = Array.from({ length: 40 }, (_, number) => number);
  expect(new Set(await submitAll(url, numbers))).toEqual(new Set([202]));
  for (let times = 0; times < 4; times += 1) {
    const text = await scrape(url);
    expect(acceptedIn(text)).toBe(40);
    expect(text.match(/^runstate_deliveries\{status="queued"\} 40$/gm)).toHaveLength(1);
  }
}, 40_000);

test('one that hangs, is killed, and starts again · no counter goes down · since what it said last still counts', async () => {
  const url = await startTwo();
  const numbers = Array.from({ length: 40 }, (_, number) => number);
  await submitAll(url, numbers);
  expect(acceptedIn(await scrape(url))).toBe(40);
  const [first = 0] = await childrenOf();
  process.kill(first, 'SIGSTOP');
  expect(acceptedIn(await scrape(url))).toBe(40);
  process.kill(first, 'SIGKILL');
  await until('another one listens', () => listening().length === 3, 20_000);
  const [second = 0] = await childrenOf();
  process.kill(second, 'SIGKILL');
  await until('it is replaced too', () => listening().length === 4, 20_000);
  const text = await scrape(url);
  expect(acceptedIn(text)).toBe(40);
  // What is true of those that run is not.
  expect(text.match(/^runstate_deliveries\{status="queued"\} 40$/gm)).toHaveLength(1);
}, 60_000);

test('one that is killed · is started again · while the other one serves', async () => {
  const url = await startTwo();
  const [first = 0] = await childrenOf();
  process.kill(first, 'SIGKILL');
  expect(new Set(await submitAll(url, [1, 2, 3]).catch(() => submitAll(url, [1, 2, 3])))).not.toContain(0);
  await until('another one listens', () => listening().length === 3, 20_000);
  expect(api.lines.find(({ msg }) => msg.startsWith('an API process ended by itself'))).toMatchObject({
    code: null,
    signal: 'SIGKILL',
  });
  expect(await childrenOf()).toHaveLength(2);
}, 40_000);

test('SIGTERM · stops all of them in order · and the command ends with 0', async () => {
  await startTwo();
  const children = await childrenOf();
  api.signal('SIGTERM');
  expect(await api.ended).toBe(0);
  expect(api.lines.filter(({ msg }) => msg === 'stopped')).toHaveLength(2);
  expect(children.every(isGone)).toBe(true);
}, 40_000);

test('the one that started them is killed · none is left · to serve unnoticed', async () => {
  await startTwo();
  const children = await childrenOf();
  api.signal('SIGKILL');
  await api.ended;
  await until('all are gone', () => children.every(isGone));
}, 40_000);

test('a configuration with faults · is reported once · with 78', async () => {
  start({ OPERATOR_TOKEN: 'short' });
  expect(await api.ended).toBe(78);
  expect(api.lines).toHaveLength(1);
}, 40_000);

test('a port that is taken · ends all · with 78', async () => {
  const url = await startTwo();
  const other = startProcess('src/main.ts', {
    HOST: '127.0.0.1',
    PORT: new URL(url).port,
    API_PROCESSES: '2',
    REDIS_URL: redis.url,
    DEVICE_GROUP_KEYS: GROUP_KEY,
  });
  expect(await other.ended).toBe(78);
}, 40_000);

// The log level of a running process: SIGUSR2 turns debug on and off again, and the log says which is in force.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { GROUP_KEY } from '../support/device.ts';
import { freePort } from '../support/free-port.ts';
import { startProcess, type TestProcess } from '../support/process.ts';
import { send } from '../support/raw-http.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

let redis: TestRedis;
let api: TestProcess;

beforeAll(async () => {
  redis = await startTestRedis();
});
afterEach(() => api.close());
afterAll(() => redis.close());

/** Starts the API at a level; one that logs too little to say where it listens is told where. */
async function start(level: string): Promise<number> {
  const port = await freePort();
  const env = { REDIS_URL: redis.url, DEVICE_GROUP_KEYS: GROUP_KEY, HOST: '127.0.0.1', PORT: String(port) };
  api = startProcess('src/main.ts', { ...env, LOG_LEVEL: level });
  await until('the API answers', () => send({ port, method: 'GET', path: '/livez' }).catch(() => null), 10_000);
  return port;
}

const levelsTold = () => api.lines.filter(({ msg }) => msg === 'log level in force').map((line) => line['logLevel']);

async function switchTo(level: string): Promise<void> {
  const before = levelsTold().length;
  api.signal('SIGUSR2');
  await until(`${level} is in force`, () => levelsTold().length > before);
  expect(levelsTold().at(-1)).toBe(level);
}

/** Asks something that is logged at debug only. */
const ask = (port: number, requestId: string) =>
  send({ port, method: 'GET', path: '/livez', headers: { 'X-Request-Id': requestId } });
const logged = () => api.lines.filter(({ msg }) => msg === 'request').map((line) => line['requestId']);

test.each(['info', 'silent'])('SIGUSR2 at %s · logs all there is · until the next one', async (level) => {
  const port = await start(level);
  await ask(port, 'before');
  await switchTo('debug');
  await ask(port, 'during');
  await until('it is logged', () => logged().includes('during'));
  await switchTo(level);
  await ask(port, 'after');
  await switchTo('debug');
  await ask(port, 'again');
  await until('it is logged', () => logged().includes('again'));
  expect(logged()).toEqual(['during', 'again']);
});

test('SIGUSR2 at debug · is quieter · until the next one', async () => {
  const port = await start('debug');
  await switchTo('info');
  await ask(port, 'quiet');
  await switchTo('debug');
  await ask(port, 'again');
  await until('it is logged', () => logged().includes('again'));
  expect(logged()).not.toContain('quiet');
});

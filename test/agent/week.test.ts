// A laptop that was offline for a week: its results become records once each, with the real agent, processes and a Graph of the sandbox.
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts';
import { createAgentDevice, ONE_SHELL, type AgentDevice } from '../support/agent.ts';
import { GROUP_KEY } from '../support/device.ts';
import { startApi, startProcess, type TestProcess } from '../support/process.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const RESULTS = 50;
/** Of these the agent kept so many a day itself. */
const DAYS = 7;
const PER_DAY = 2;
const WEEK_S = 7 * 86_400;
const NOWHERE = 'http://127.0.0.1:9';

let redis: TestRedis;
let sandbox: Sandbox;
let api: TestProcess;
let worker: TestProcess;
let port: number;
let device: AgentDevice;

beforeAll(async () => {
  redis = await startTestRedis();
  sandbox = await createSandbox();
  const environment = {
    ...sandbox.environment(),
    REDIS_URL: redis.url,
    DEVICE_GROUP_KEYS: GROUP_KEY,
    WORKER_PORT: '0',
    HOST: '127.0.0.1',
    GRAPH_WRITES_PER_20S: '1000',
  };
  ({ api, port } = await startApi(environment));
  worker = startProcess('workers/main.ts', environment);
  await worker.line('working');
  device = createAgentDevice(ONE_SHELL);
});
afterAll(async () => {
  device.close();
  await Promise.all([api.close(), worker.close()]);
  await sandbox.close();
  await redis.close();
});

/** Passes requests on to the bridge, and loses what it answers. */
async function startLosingProxy() {
  const sockets = new Set<Socket>();
  const proxy = { answersLost: 0 };
  const server = createServer((socket) => {
    const upstream = connect(port, '127.0.0.1');
    sockets.add(socket).add(upstream);
    socket.pipe(upstream);
    upstream.once('data', () => {
      proxy.answersLost += 1;
      socket.destroy();
    });
    for (const one of [socket, upstream]) one.on('error', () => undefined);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(proxy, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      sockets.forEach((socket) => socket.destroy());
      server.close();
    },
  });
}

/** A result like another one, an hour after it for each that was kept before. */
function keepLike(name: string, index: number): void {
  const atS = Number(/^\d+/.exec(name)?.[0]) + index * 3600;
  const result = JSON.parse(readFileSync(join(device.spool, name), 'utf8')) as object;
  const changes = {
    runId: `run-${index}`,
    completedAt: new Date(atS * 1000).toISOString(),
    output: `result ${index}\n`,
  };
  writeFileSync(join(device.spool, `${atS}-run-${index}.json`), `${JSON.stringify({ ...result, ...changes })}\n`);
}

test('fifty results of a week offline · become records · once each', { timeout: 240_000 }, async () => {
  const agoFile = join(device.directory, 'ago');
  device.replace('date', `exec /bin/date -d "@$(($(/bin/date +%s) - $(cat '${agoFile}')))" "$@"`);
  device.replace('sleep', 'exit 0');
  const run = ['--configuration', sandbox.configurationIds[0] ?? '', '--policy-version', '4'];
  for (let index = 0; index < DAYS * PER_DAY; index += 1) {
    // Two at about the same time: the first of them tries to send, the other knows that it failed.
    writeFileSync(agoFile, `${WEEK_S - Math.floor(index / PER_DAY) * 86_400 - (index % PER_DAY)}`);
    const { code } = await device.run(['run', ...device.options(NOWHERE), ...run, '--', 'echo', `result ${index}`]);
    expect(code).toBe(75);
  }
  // The others as it would have kept them: to start it once for each takes a minute.
  for (let index = DAYS * PER_DAY; index < RESULTS; index += 1) keepLike(device.kept()[0] ?? '', index);
  expect(device.kept()).toHaveLength(RESULTS);

  writeFileSync(agoFile, '0');
  const losing = await startLosingProxy();
  expect(await device.run(['send', ...device.options(losing.url), '--no-wait'])).toMatchObject({ code: 75 });
  expect({ kept: device.kept().length, lost: losing.answersLost }).toEqual({ kept: RESULTS, lost: 1 });
  losing.close();
  const sent = await device.run(['send', ...device.options(`http://127.0.0.1:${port}`), '--no-wait']);
  expect(sent).toEqual({ code: 0, stdout: '', stderr: '' });
  expect({ kept: device.kept(), refused: device.refused() }).toEqual({ kept: [], refused: [] });

  await until('every result is a record', () => sandbox.records().length >= RESULTS, 60_000);
  const records = sandbox.records().map(({ configurationOutput }) => configurationOutput);
  expect(records.sort()).toEqual(Array.from({ length: RESULTS }, (_, index) => `result ${index}\n`).sort());
  expect(sandbox.duplicates()).toEqual([]);
  const instants = sandbox.records().map((record) => Date.parse(record.lastStateUpdateDateTime));
  expect(Math.max(...instants) - Math.min(...instants)).toBeGreaterThan(5.9 * 86_400_000);
});

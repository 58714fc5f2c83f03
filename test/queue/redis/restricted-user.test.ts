// The user that docs/operations.md describes, with no right more: everything works. With less, what is missing is told by name.
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { deriveDeviceKey } from '../../../src/domain/submission/device-key.ts';
import { readDelivery, submit, type DeviceClientOptions } from '../../../src/device/device-client.ts';
import { createSandbox, type Sandbox } from '../../../src/sandbox/sandbox.ts';
import { OPERATOR_TOKEN } from '../../support/app.ts';
import { runCli } from '../../support/cli.ts';
import { GROUP_KEY } from '../../support/device.ts';
import { startApi, startProcess, type TestProcess } from '../../support/process.ts';
import { startReceiver, type Receiver } from '../../support/receiver.ts';
import { documentedRules } from '../../support/redis-rights.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { aRun } from '../../support/tenant.ts';
import { until } from '../../support/until.ts';

const RULES = documentedRules('pw');
const DIAGNOSIS = ['+info', '+config|get'];

let redis: TestRedis;
let sandbox: Sandbox;
let receiver: Receiver;
let processes: TestProcess[];

beforeEach(async () => {
  redis = await startTestRedis();
  sandbox = await createSandbox();
  receiver = await startReceiver();
  processes = [];
});
afterEach(async () => {
  await Promise.all(processes.map((process) => process.close()));
  await sandbox.close();
  await receiver.close();
  await redis.close();
});

async function start(rules: readonly string[]) {
  await redis.client.call('ACL', 'SETUSER', 'bridge', ...rules);
  await redis.client.call('ACL', 'LOG', 'RESET');
  const env = {
    HOST: '127.0.0.1',
    WORKER_PORT: '0',
    REDIS_URL: redis.url,
    REDIS_USERNAME: 'bridge',
    REDIS_PASSWORD: 'pw',
    DEVICE_GROUP_KEYS: GROUP_KEY,
    OPERATOR_TOKEN,
    SUPERSEDE: 'on',
    UNCERTAIN_LOOK_AFTER_MS: '50',
    MAX_BACKLOG_BYTES: '1000000000',
    ...sandbox.environment(),
    ...receiver.environment(),
  };
  const worker = startProcess('workers/main.ts', env);
  const { api, url } = await startApi(env);
  processes.push(api, worker);
  const { port } = await worker.line('working');
  return { env, url, workerUrl: `http://127.0.0.1:${Number(port)}` };
}

/** What was refused, but for what gives connections names and lists them. */
async function denied(): Promise<string[]> {
  const entries = (await redis.client.call('ACL', 'LOG')) as string[][];
  return entries
    .map((entry) => String(entry[entry.indexOf('object') + 1]))
    .filter((name) => !name.startsWith('client'));
}

type World = Awaited<ReturnType<typeof start>>;

const agent = ({ url }: World, number: number): DeviceClientOptions => ({
  baseUrl: url,
  deviceId: `device-${number}`,
  deviceKey: deriveDeviceKey(Buffer.from(GROUP_KEY, 'base64'), `device-${number}`).toString('base64'),
});
const [KNOWN, UNKNOWN] = [0, 1];

async function accept(world: World, number: number, configuration: number): Promise<string> {
  const ids = [sandbox.configurationIds[0] ?? '', '00000000-dead-4000-8000-000000000000'];
  const run = aRun(number, { hardwareConfigurationId: ids[configuration] ?? '' });
  const outcome = await submit(run, agent(world, number));
  if (outcome.kind !== 'accepted' && outcome.kind !== 'duplicate')
    throw new Error(`not accepted: ${JSON.stringify(outcome)}`);
  return outcome.receipt.deliveryId;
}

async function untilStatus(world: World, number: number, id: string, status: string): Promise<void> {
  await until(
    `delivery ${number} is ${status}`,
    async () => {
      const read = await readDelivery(id, agent(world, number));
      return read.kind === 'found' && read.delivery.status === status;
    },
    15_000,
  );
}

async function operate({ url }: World, method: string, path: string, body?: object): Promise<unknown> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { Authorization: `Bearer ${OPERATOR_TOKEN}`, 'Content-Type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  });
  expect([200, 202]).toContain(response.status);
  return response.json();
}

/** What devices and operators do in a day, a worker dying included. */
async function useEverything(world: World): Promise<void> {
  sandbox.script('next create: 504 after the write');
  const created = await Promise.all([1, 2, 3].map((number) => accept(world, number, KNOWN)));
  const dead = await Promise.all([11, 12].map((number) => accept(world, number, UNKNOWN)));
  await receiver.untilTaken('dead-letters.rising', 15_000);
  await accept(world, 1, KNOWN);
  await Promise.all(created.map((id, index) => untilStatus(world, index + 1, id, 'delivered')));
  await Promise.all(dead.map((id, index) => untilStatus(world, index + 11, id, 'dead')));

  expect(await operate(world, 'GET', '/v1/dead-letters?limit=1')).toMatchObject({ deadLetters: [{ status: 'dead' }] });
  expect(await operate(world, 'POST', '/v1/dead-letters/replay', { deliveryId: dead[0] })).toMatchObject({
    replayed: 1,
  });
  await untilStatus(world, 11, dead[0] ?? '', 'dead');
  await replayAtARate(world, dead[0] ?? '');
  await untilStatus(world, 11, dead[0] ?? '', 'dead');
  expect(await operate(world, 'POST', '/v1/dead-letters/purge', { deliveryId: dead[1] })).toMatchObject({ purged: 1 });
  await operate(world, 'POST', '/v1/devices/device-9/revoke');
  await operate(world, 'POST', '/v1/devices/device-9/restore');
  await operate(world, 'GET', '/v1/devices/revoked');
  expect(await operate(world, 'GET', '/v1/status')).toMatchObject({ tenants: [{ counts: { delivered: 3, dead: 1 } }] });
  expect(JSON.stringify(await operate(world, 'GET', '/dashboard/search.json?text=device-1'))).toContain(created[0]);
  await operate(world, 'GET', '/dashboard/overview.json');
  await operate(world, 'GET', '/dashboard/queues/api/queues?activeQueue=deliveries&page=1&jobsPerPage=10');
  for (const at of [world.url, world.workerUrl]) {
    expect(await (await fetch(`${at}/metrics`)).text()).toContain('runstate_redis_up 1');
  }
}

/** One is taken by a worker; another one is paused, resumed and cancelled. */
async function replayAtARate(world: World, deliveryId: string): Promise<void> {
  const start = async (deviceId: string, perSecond: number) => {
    const body = { filter: { deviceId }, perSecond };
    const started = await operate(world, 'POST', '/v1/dead-letters/replay', body);
    return (started as { replays: { id: string }[] }).replays[0]?.id ?? '';
  };
  const change = (id: string, operation: string) => operate(world, 'POST', `/v1/replays/${id}/${operation}`);
  const id = await start('device-11', 1000);
  await until('the replay is done', async () => {
    const { replays } = (await operate(world, 'GET', '/v1/replays')) as { replays: { id: string; state: string }[] };
    return replays[0]?.id === id && replays[0].state === 'done';
  });
  await untilStatus(world, 11, deliveryId, 'dead');
  const other = await start('device-11', 0.01);
  for (const operation of ['pause', 'resume', 'cancel']) await change(other, operation);
}

const ready = async (url: string) => {
  const response = await fetch(`${url}/readyz`);
  return { code: response.status, ...((await response.json()) as object) };
};

test('the documented user · does everything · and is ready without a fault', async () => {
  const world = await start(RULES);
  await useEverything(world);
  expect(await denied()).toEqual([]);
  for (const url of [world.url, world.workerUrl]) expect(await ready(url)).toMatchObject({ code: 200, status: 'ok' });
  const { stdout } = await runCli(['doctor', '--for', 'api'], { env: world.env });
  expect(stdout).toMatch(/ok +redis-writes/);
}, 60_000);

test('a user who may not ask INFO and CONFIG · does everything, degraded · and what is refused is named', async () => {
  const world = await start(RULES.filter((rule) => !DIAGNOSIS.includes(rule)));
  await useEverything(world);
  expect(new Set(await denied())).toEqual(new Set(['info', 'config|get']));
  const detail = expect.stringMatching(/^durability is unknown, .*NOPERM.*appendfsync always/) as string;
  for (const url of [world.url, world.workerUrl]) {
    expect(await ready(url)).toMatchObject({
      code: 200,
      status: 'degraded',
      checks: { redis: { ok: true }, durability: { ok: false, detail } },
    });
  }
  expect(await operate(world, 'GET', '/v1/status')).toMatchObject({ durability: 'unknown' });
  const { stdout } = await runCli(['doctor', '--for', 'api'], { env: world.env });
  expect(stdout).toMatch(/redis-durability.*NOPERM/);
  expect(stdout).not.toContain('too old');
}, 60_000);

test('a user who lacks a right it takes · is told which · while the rest goes on', async () => {
  const world = await start(RULES.filter((rule) => rule !== '+mget'));
  await accept(world, 1, KNOWN);
  await fetch(`${world.url}/dashboard/search.json?text=device-1`, {
    headers: { Authorization: `Bearer ${OPERATOR_TOKEN}` },
  });
  expect(await ready(world.url)).toMatchObject({
    code: 200,
    status: 'degraded',
    checks: { redis: { ok: false, detail: expect.stringMatching(/mget/) as string } },
  });
  await untilStatus(world, 2, await accept(world, 2, KNOWN), 'delivered');
}, 60_000);

test('a user whose keys begin otherwise · stores nothing · and is not ready, with the reason', async () => {
  const world = await start(RULES.map((rule) => (rule.startsWith('~') ? '~other:*' : rule)));
  expect((await submit(aRun(1), agent(world, 1))).kind).toBe('refused');
  expect(await ready(world.url)).toMatchObject({
    code: 503,
    checks: { redis: { detail: expect.stringMatching(/NOPERM/) as string } },
  });
  expect(await redis.client.dbsize()).toBe(0);
}, 60_000);

/** What we and BullMQ call on a connection that is no command, or one that needs no right. */
const NO_COMMANDS = [
  'once',
  'on',
  'off',
  'quit',
  'disconnect',
  'duplicate',
  'defineCommand',
  'call',
  'config',
  'pipeline',
  'sha1hex',
];
/** The scripts of BullMQ's that queues without flows and schedulers run. */
const BULLMQ_SCRIPTS =
  /^(addStandardJob|addPrioritizedJob|changePriority|getCountsPerPriority|retryJob|moveToActive|moveToDelayed|moveToFinished|moveJobFromActiveToWait|moveStalledJobsToWait|extendLocks?|removeJob|getCounts|getRanges)$/;

test('the documented rights · hold every command of ours and of the scripts of BullMQ’s that run · and no other', () => {
  const used = new Set<string>(['bzpopmin', 'eval', 'evalsha', 'scan', 'config|get']);
  const note = (text: string, pattern: RegExp) => {
    for (const [, name = ''] of text.matchAll(pattern))
      if (!NO_COMMANDS.includes(name)) used.add(name.toLowerCase().replace(/buffer$/, ''));
  };
  const load = createRequire(import.meta.url);
  const scripts = Object.values(
    load('bullmq/dist/cjs/scripts/index.js') as Record<string, { name: string; content: string }>,
  );
  const run = scripts.filter(({ name }) => BULLMQ_SCRIPTS.test(name));
  expect(run).toHaveLength(15);
  for (const { content } of run) note(content, /rcall\(\s*["'](\w+)["']/g);
  const room = new URL('../../../src/queue/', import.meta.url);
  for (const file of readdirSync(room, { recursive: true, encoding: 'utf8' })) {
    // A move takes rights of its own.
    if (!/\.(ts|lua)$/.test(file) || /embedded|(^|\/)move\//.test(file)) continue;
    const text = readFileSync(new URL(file, room), 'utf8');
    note(text, /redis\.call\('(\w+)'/g);
    note(text, /\bredis\s*\.(\w+)\(/g);
    note(text, /\bredis as Redis\)\.(\w+)\(/g);
  }
  const rights = RULES.filter((rule) => rule.startsWith('+')).map((rule) => rule.slice(1));
  expect(rights.sort()).toEqual([...used].sort());
});

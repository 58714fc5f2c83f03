// The command `move`: by a user who may do no more than is documented, to a Cluster, from the embedded Redis, killed and run again.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { createKeys } from '../../../../src/queue/redis/keys.ts';
import { runCli, startCli } from '../../../support/cli.ts';
import { created } from '../../../support/outcomes.ts';
import { documentedBeside, documentedRules } from '../../../support/redis-rights.ts';
import { createRedisServers, freeRedisPort } from '../../../support/redis-servers.ts';
import { startTestRedis, type TestRedis } from '../../../support/redis.ts';
import { startConsumer } from '../../../support/consume.ts';
import { aRun, openTestTenant, type OwnTenant } from '../../../support/tenant.ts';
import { until } from '../../../support/until.ts';

const keys = createKeys('runstate', 'default');
const BESIDE = documentedBeside(/`runstate-bridge move` takes `([^`]*)`/);

/** The command takes seconds to start on a busy machine. */
const WITHIN_MS = 120_000;

let redis: { old: TestRedis; fresh: TestRedis };

beforeEach(async () => {
  const [old, fresh] = await Promise.all([startTestRedis(), startTestRedis()]);
  redis = { old, fresh };
});
afterEach(() => Promise.all([redis.old.close(), redis.fresh.close()]));

async function acceptSome(tenant: OwnTenant, count: number): Promise<string[]> {
  const numbers = Array.from({ length: count }, (_, index) => index);
  const accepted = await Promise.all(numbers.map((number) => tenant.deliveries.accept(aRun(number), Date.now())));
  return accepted.map((one) => (one.kind === 'conflict' ? '' : one.delivery.id));
}

async function fill({ config }: Pick<TestRedis, 'config'>, count: number, id = 'default'): Promise<string[]> {
  const tenant = await openTestTenant({ config }, { id });
  const ids = await acceptSome(tenant, count);
  await tenant.close();
  return ids;
}

const run = (args: string[], env: Record<string, string> = {}) => runCli(['move', '--yes', ...args], { env });

test(
  'a user who has the documented rights · moves, cancels and finishes · and nothing is refused',
  async () => {
    await fill(redis.old, 50);
    for (const { client } of [redis.old, redis.fresh]) {
      await client.call('ACL', 'SETUSER', 'bridge', ...documentedRules('pw'), ...BESIDE);
      await client.call('ACL', 'LOG', 'RESET');
    }
    const directory = await mkdtemp(join(tmpdir(), 'runstate-move-'));
    onTestFinished(() => rm(directory, { recursive: true }));
    const passwordFile = join(directory, 'password');
    await writeFile(passwordFile, 'pw\n');
    const of = ({ url }: TestRedis) => url.replace('unix:', 'unix://bridge@');
    const from = ['--from', of(redis.old), '--from-password-file', passwordFile];
    const both = [...from, '--to', of(redis.fresh)];
    const env = { MOVE_TO_PASSWORD: 'pw' };
    expect(await run([...both, '--prepare'], env)).toMatchObject({ code: 0 });
    expect(await run([...both, '--cancel'], env)).toMatchObject({ code: 0 });
    const moved = await run(both, env);
    expect(moved).toMatchObject({ code: 0, stdout: expect.stringMatching(/^default: moved to .*queued 50/) as string });
    expect(moved.stderr).toMatch(/default: pass 1: \d+ keys/);
    expect(`${moved.stdout}${moved.stderr}`).not.toContain('pw');
    expect(await run([...from, '--finish'])).toMatchObject({ code: 0 });
    for (const { client } of [redis.old, redis.fresh]) {
      const entries = (await client.call('ACL', 'LOG')) as string[][];
      const denied = entries.map((entry) => String(entry[entry.indexOf('object') + 1]));
      expect(denied.filter((name) => !name.startsWith('client'))).toEqual([]);
    }
  },
  WITHIN_MS,
);

test(
  'a Cluster, named by one of its servers · gets the data · and a worker there delivers it',
  async () => {
    const servers = await createRedisServers();
    onTestFinished(servers.close);
    const ports = [await freeRedisPort(), await freeRedisPort(), await freeRedisPort()];
    for (const [index, port] of ports.entries()) {
      const lines = [
        'cluster-enabled yes',
        `cluster-config-file nodes-${index}.conf`,
        'appendonly yes',
        'appendfsync always',
        `appenddirname node-${index}`,
      ];
      await servers.start(`node-${index}`, port, { lines });
    }
    await servers.cluster(ports);
    const ids = await fill(redis.old, 300);
    const moved = await run(['--from', redis.old.url, '--to', `redis://127.0.0.1:${ports[1] ?? 0}`, '--json']);
    expect(moved.code, moved.stderr).toBe(0);
    expect(JSON.parse(moved.stdout)).toMatchObject({
      tenants: [{ tenant: 'default', kind: 'moved', deliveries: { queued: 300 } }],
    });
    const nodes = ports.map((port) => ({ host: '127.0.0.1', port }));
    const tenant = await openTestTenant({ config: { kind: 'cluster', nodes, prefix: 'runstate' } });
    onTestFinished(tenant.close);
    const consumer = startConsumer(tenant, { deliver: ({ id }) => Promise.resolve(created(`record-${id}`)) });
    onTestFinished(consumer.close);
    await until('all are delivered', async () => (await tenant.deliveries.counts()).delivered === ids.length, 25_000);
  },
  WITHIN_MS,
);

test(
  'a run that is killed, again and again · is continued by the same command · to the end',
  async () => {
    const ids = await fill(redis.old, 500);
    const args = ['move', '--yes', '--from', redis.old.url, '--to', redis.fresh.url];
    let killed = 0;
    for (const word of ['pass 1', 'no attempt begins', 'closed:']) {
      // The lock of a dead run lasts.
      await redis.old.client.del(keys.moveLock);
      const running = startCli(args);
      await until(
        `it says “${word}”, or has ended`,
        async () => running.stderr().includes(word) || (await isOver(running)),
        20_000,
      );
      running.signal('SIGKILL');
      if ((await running.ended).code === null) killed += 1;
    }
    await redis.old.client.del(keys.moveLock);
    expect(await run(args.slice(2))).toMatchObject({ code: 0 });
    expect(killed).toBeGreaterThan(0);
    const tenant = await openTestTenant(redis.fresh);
    onTestFinished(tenant.close);
    expect((await acceptSome(tenant, 500)).sort()).toEqual(ids.sort());
    expect(await tenant.deliveries.counts()).toMatchObject({ queued: 500 });
  },
  WITHIN_MS,
);

const isOver = (running: ReturnType<typeof startCli>) =>
  Promise.race([running.ended.then(() => true), new Promise<boolean>((resolve) => setImmediate(() => resolve(false)))]);

test(
  'a run beside another one · is refused · and says that the same command goes on',
  async () => {
    await fill(redis.old, 5);
    await redis.old.client.set(keys.moveLock, 'another', 'PX', 60_000);
    expect(await run(['--from', redis.old.url, '--to', redis.fresh.url])).toMatchObject({
      code: 75,
      stderr: expect.stringContaining('another run works on this move') as string,
    });
  },
  WITHIN_MS,
);

test(
  'several tenants · have to be named, or all be meant · and each is moved',
  async () => {
    await fill(redis.old, 3);
    await fill(redis.old, 4, 'contoso');
    const both = ['--from', redis.old.url, '--to', redis.fresh.url];
    expect(await run(both)).toMatchObject({ code: 64, stderr: expect.stringContaining('contoso, default') as string });
    expect(await run([...both, '--tenant', 'fabrikam'])).toMatchObject({ code: 65 });
    expect(await run([...both, '--tenant', 'contoso'])).toMatchObject({ code: 0 });
    const all = await run([...both, '--all']);
    expect(all).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/contoso: was moved to .*\ndefault: moved/s) as string,
    });
  },
  WITHIN_MS,
);

test(
  'several moves of which one is done · are cancelled but for that one · and tenants without data are too',
  async () => {
    await fill(redis.old, 3);
    await fill(redis.old, 4, 'contoso');
    const both = ['--from', redis.old.url, '--to', redis.fresh.url];
    expect(await run([...both, '--all', '--prepare'])).toMatchObject({ code: 0 });
    expect(await run([...both, '--tenant', 'contoso'])).toMatchObject({ code: 0 });
    await redis.old.client.del(keys.counts);
    const cancelled = await run([...both, '--all', '--cancel', '--json']);
    expect(cancelled).toMatchObject({
      code: 65,
      stderr: expect.stringMatching(/^contoso: the data has moved to /m) as string,
    });
    expect(JSON.parse(cancelled.stdout)).toMatchObject({
      tenants: [
        { tenant: 'contoso', kind: 'refused' },
        { tenant: 'default', kind: 'cancelled' },
      ],
    });
  },
  WITHIN_MS,
);

test.each([
  ['a target that forgets', ['--appendonly', 'no'], /durability is none|no append-only file/],
  ['a target that evicts', ['--maxmemory-policy', 'allkeys-lru'], /throws accepted run results away/],
  ['a target that is too small', ['--maxmemory', '1500000'], /full|are free/],
])(
  '%s · is refused · before anything is changed',
  async (_name, settings, reason) => {
    await fill(redis.old, 3);
    const unfit = await startTestRedis(...settings);
    onTestFinished(unfit.close);
    expect(await run(['--from', redis.old.url, '--to', unfit.url])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(reason) as string,
    });
    expect(await redis.old.client.exists(keys.move)).toBe(0);
  },
  WITHIN_MS,
);

test(
  'a target that has room for the rest alone · is filled by a move that is under way',
  async () => {
    await fill(redis.old, 3);
    const both = ['--from', redis.old.url, '--to', redis.fresh.url];
    expect(await run([...both, '--prepare'])).toMatchObject({ code: 0 });
    const used = Number(/^used_memory:(\d+)/m.exec(await redis.fresh.client.info('memory'))?.[1]);
    await redis.fresh.client.config('SET', 'maxmemory', used + 500_000);
    expect(await run(both)).toMatchObject({ code: 0 });
  },
  WITHIN_MS,
);

test(
  'a Redis that is not there, or has nothing · ends the command · with the reason',
  async () => {
    const nowhere = `unix:${join(tmpdir(), 'runstate-nowhere.sock')}`;
    expect(await run(['--from', redis.old.url, '--to', redis.fresh.url])).toMatchObject({
      code: 65,
      stderr: expect.stringContaining('has no data under the prefix runstate') as string,
    });
    await fill(redis.old, 1);
    expect(await run(['--from', redis.old.url, '--to', nowhere])).toMatchObject({
      code: 75,
      stderr: expect.stringContaining('does not answer') as string,
    });
    expect(await run(['--from', redis.old.url])).toMatchObject({ code: 64 });
    expect(await run(['--from', redis.old.url, '--to', 'http://here'])).toMatchObject({ code: 64 });
  },
  WITHIN_MS,
);

test(
  'the embedded Redis · is moved from by the environment alone',
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'runstate-move-'));
    onTestFinished(() => rm(directory, { recursive: true }));
    const { openRedis } = await import('../../../../src/queue/redis/open-redis.ts');
    const ignore = () => undefined;
    const config = { kind: 'embedded', directory, prefix: 'runstate' } as const;
    const embedded = await openRedis(config, 'work', {
      redisTrouble: ignore,
      waitingForRedis: ignore,
      durability: ignore,
    });
    await fill({ config }, 7);
    const moved = await run(['--to', redis.fresh.url], { DATA_DIR: directory });
    await embedded.close();
    expect(moved, moved.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining('queued 7') as string });
  },
  WITHIN_MS,
);

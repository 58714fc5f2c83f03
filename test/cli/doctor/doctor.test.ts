// `doctor` in environments that can deliver and that cannot: a real Redis, a sandbox of Graph, every finding.
import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { examine, type Round } from '../../../src/cli/doctor/doctor-checks.ts';
import type { Finding } from '../../../src/doctor/finding.ts';
import { startEmbeddedRedis } from '../../../src/queue/redis/embedded/embedded.ts';
import { createSandbox, type Sandbox } from '../../../src/sandbox/sandbox.ts';
import { runCli } from '../../support/cli.ts';
import { serversIn } from '../../support/embedded.ts';
import { GROUP_KEY, OLD_GROUP_KEY } from '../../support/device.ts';
import { freePort } from '../../support/free-port.ts';
import { trustedTlsDirectory } from '../../support/graph.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';

const OPERATOR_TOKEN = 'an-operator-token-of-32-characters-or-more';
const NOWHERE = '00000000-0000-0000-0000-000000000000';
const ROUND: Round = { scope: 'both', configurationId: null, probeConfigurationId: null };

let redis: TestRedis;
let sandbox: Sandbox;
let directory: string;
let aheadMs = 0;

beforeAll(async () => {
  redis = await startTestRedis();
  sandbox = await createSandbox({ tlsDirectory: trustedTlsDirectory(), now: () => Date.now() + aheadMs });
  directory = await mkdtemp(join(tmpdir(), 'runstate-doctor-test-'));
});
afterEach(async () => {
  aheadMs = 0;
  sandbox.reset();
  await redis.client.del('runstate:{default}:facts');
  await redis.client.config('SET', 'appendonly', 'yes', 'appendfsync', 'always', 'maxmemory-policy', 'noeviction');
});
afterAll(async () => {
  await sandbox.close();
  await redis.close();
  await rm(directory, { recursive: true, force: true });
});

const environment = (changes: Record<string, string> = {}): Record<string, string> => ({
  REDIS_URL: redis.url,
  DEVICE_GROUP_KEYS: OLD_GROUP_KEY,
  OPERATOR_TOKEN,
  ...sandbox.environment(),
  ...changes,
});

async function findingsOf(round: Round): Promise<Finding[]> {
  const findings: Finding[] = [];
  for await (const finding of examine(environment(), round)) findings.push(finding);
  return findings;
}

/** Every finding that is not well, as `result check`. */
async function troubles(changes: Record<string, string> = {}, round: Partial<Round> = {}): Promise<string[]> {
  const lines: string[] = [];
  for await (const { check, result } of examine(environment(changes), { ...ROUND, ...round })) {
    if (result !== 'ok') lines.push(`${result} ${check}`);
  }
  // Nothing was created here, unless a test says so.
  return lines.filter((line) => line !== 'skipped graph-creates');
}

test('an environment that can deliver · passes every check · but for creates, which nobody tried', async () => {
  const [configurationId = ''] = sandbox.configurationIds;
  const checks: string[] = [];
  for await (const { check, result } of examine(environment(), { ...ROUND, configurationId })) {
    checks.push(`${result} ${check}`);
  }
  expect(checks).toEqual(
    [
      'configuration',
      'operator-token',
      'certificates',
      'device-keys',
      'redis',
      'redis-version',
      'redis-writes',
      'redis-durability',
      'redis-eviction',
      'redis-memory',
      'redis-clock',
      'token',
      'token-roles',
      'token-tenant',
      'graph',
      'graph-clock',
      'graph-configuration',
    ]
      .map((check) => `ok ${check}`)
      .concat('skipped graph-creates'),
  );
});

describe('Redis', () => {
  test('away · fails, and Graph is examined all the same', async () => {
    expect(await troubles({ REDIS_URL: `unix:${directory}/nobody.sock` })).toEqual(['failed redis']);
  });

  test('evicting · fails', async () => {
    await redis.client.config('SET', 'maxmemory-policy', 'allkeys-lfu');
    expect(await troubles()).toEqual(['failed redis-eviction']);
  });

  test('without an append-only file · fails · with everysec · warns', async () => {
    await redis.client.config('SET', 'appendonly', 'no');
    expect(await troubles()).toEqual(['failed redis-durability']);
    await redis.client.config('SET', 'appendonly', 'yes', 'appendfsync', 'everysec');
    expect(await troubles()).toEqual(['warning redis-durability']);
  });
});

describe('embedded Redis', () => {
  const embedded = (dataDirectory: string) => environment({ REDIS_URL: '', DATA_DIR: dataDirectory });
  async function redisFindings(dataDirectory: string) {
    const found: string[] = [];
    for await (const { check, result, detail } of examine(embedded(dataDirectory), { ...ROUND, scope: 'api' })) {
      if (check.startsWith('redis')) found.push(`${result} ${check}: ${detail}`);
    }
    return found;
  }

  test('nobody runs one · it says that one would be started · and that it could', async () => {
    const found = await redisFindings(join(directory, 'none'));
    expect(found).toEqual([
      expect.stringMatching(
        /^ok redis-embedded: REDIS_URL is not set and none runs: the first process will start one in /,
      ),
      expect.stringMatching(/^ok redis-version: \d/),
      'ok redis-durability: always: a write is fsynced before it is acknowledged',
    ]);
  });

  test('one runs · it is joined · and goes on running', async () => {
    const path = join(directory, 'joined');
    const running = await startEmbeddedRedis(path);
    const found = await redisFindings(path);
    expect(found[0]).toMatch(/^ok redis-embedded: a process runs one in /);
    expect(found[1]).toMatch(/^ok redis: answers in /);
    expect((await redisFindings(path))[0]).toBe(found[0]);
    await running.close();
  });

  test('one runs and does not answer · is not taken for none', async () => {
    const path = join(directory, 'stopped');
    const running = await startEmbeddedRedis(path);
    const [server = 0] = serversIn(path);
    process.kill(server, 'SIGSTOP');
    const found = await redisFindings(path);
    process.kill(server, 'SIGCONT');
    expect(found).toEqual([
      expect.stringMatching(
        /^failed redis-embedded: one runs in .* and does not answer: processes wait for .*it lives/,
      ),
    ]);
    await running.close();
  });

  test('a DATA_DIR that others share · fails · and is left as it is', async () => {
    const path = join(directory, 'shared');
    await mkdir(path);
    await chmod(path, 0o1777);
    expect(await redisFindings(path)).toEqual([
      expect.stringMatching(/^failed redis-embedded: DATA_DIR .* is there for others too: name a directory of its own/),
    ]);
    expect((await stat(path)).mode & 0o7777).toBe(0o1777);
  });

  test('a DATA_DIR that cannot be one · fails', async () => {
    await writeFile(join(directory, 'file'), '');
    expect(await redisFindings(join(directory, 'file', 'data'))).toEqual([
      expect.stringMatching(/^failed redis-embedded: DATA_DIR .* cannot be written to$/),
    ]);
  });
});

describe('device keys', () => {
  test('malformed · fail, and all else is examined', async () => {
    expect(await troubles({ DEVICE_GROUP_KEYS: 'short' })).toEqual(['failed configuration', 'failed device-keys']);
  });

  test('the public test vector · warns', async () => {
    expect(await troubles({ DEVICE_GROUP_KEYS: GROUP_KEY })).toEqual(['warning device-keys']);
  });
});

describe('the token', () => {
  test('a wrong secret · fails, and Graph is not asked', async () => {
    expect(await troubles({ AZURE_CLIENT_SECRET: 'wrong' })).toEqual(['failed token', 'skipped graph']);
  });

  test('a token endpoint that is away · fails', async () => {
    expect(await troubles({ AZURE_AUTHORITY_HOST: `https://localhost:${await freePort()}` })).toEqual([
      'failed token',
      'skipped graph',
    ]);
  });

  test('a missing role · fails, by what the token says and by what Graph says', async () => {
    sandbox.set({ roles: ['User.Read.All'] });
    expect(await troubles()).toEqual(['failed token-roles', 'failed graph']);
  });

  test('one role too many · warns, by its name', async () => {
    sandbox.set({ roles: ['DeviceManagementConfiguration.ReadWrite.All', 'Directory.ReadWrite.All'] });
    expect(await troubles()).toEqual(['warning token-roles']);
  });
});

describe('the device directory', () => {
  const directory = (changes: Record<string, string> = {}) => ({ ...sandbox.deviceEnvironment(), ...changes });

  test('that can be read · passes every check · as the worker reads it', async () => {
    const { deviceId } = await sandbox.directory.join();
    const lines: string[] = [];
    for await (const { check, result, detail } of examine(environment(directory()), ROUND)) {
      if (check.startsWith('directory')) lines.push(`${result} ${check}: ${detail}`);
    }
    expect(lines).toEqual([
      expect.stringMatching(
        new RegExp(`^ok directory-token: obtained in \\d+ ms, for app registration ${sandbox.directoryApp.clientId}$`),
      ),
      'ok directory-roles: Device.Read.All and no other',
      expect.stringMatching(/^ok directory: answers in \d+ ms$/),
      expect.stringMatching(new RegExp(`^ok directory-device: ${deviceId} was read in \\d+ ms, and has a key$`)),
    ]);
    expect(sandbox.requests().filter(({ operation }) => operation === 'device')).toMatchObject([
      { status: 200, appId: sandbox.directoryApp.clientId },
    ]);
  });

  test('without any device · warns', async () => {
    expect(await troubles(directory())).toEqual(['warning directory-device']);
  });

  test('with a wrong secret · fails, and is not asked', async () => {
    expect(await troubles(directory({ DIRECTORY_CLIENT_SECRET: 'wrong' }))).toEqual([
      'failed directory-token',
      'skipped directory',
    ]);
  });

  test.each([
    [[], ['failed directory-roles', 'failed directory']],
    [['Device.Read.All', 'User.Read.All'], ['warning directory-roles']],
    [['Directory.Read.All'], ['warning directory-roles']],
  ])('for an app with the roles %j · tells %j', async (directoryRoles, expected) => {
    await sandbox.directory.join();
    sandbox.set({ directoryRoles });
    expect(await troubles(directory())).toEqual(expected);
  });

  test('for the worker’s app · may have both permissions · and needs both', async () => {
    await sandbox.directory.join();
    const shared = { DEVICE_DIRECTORY: 'entra' };
    expect(await troubles(shared)).toEqual(['failed directory-roles', 'failed directory']);
    sandbox.set({ roles: ['DeviceManagementConfiguration.ReadWrite.All', 'Device.Read.All'] });
    expect(await troubles(shared)).toEqual([]);
    expect(await troubles()).toEqual(['warning token-roles']);
  });

  test('of no concern to the API · is not asked', async () => {
    expect(await troubles(directory(), { scope: 'api' })).toEqual(['skipped graph']);
  });
});

describe('Graph', () => {
  test('away · fails, and its clock is not known', async () => {
    expect(await troubles({ GRAPH_BASE_URL: `https://localhost:${await freePort()}/beta` })).toEqual([
      'failed graph',
      'skipped graph-clock',
    ]);
  });

  test.each([
    [20_000, ['warning graph-clock']],
    [-20_000, ['warning graph-clock']],
    [400_000, ['failed graph-clock']],
  ])('a clock %d ms ahead · is told', async (skewMs, expected) => {
    aheadMs = skewMs;
    expect(await troubles()).toEqual(expected);
  });

  test('an unknown configuration · fails', async () => {
    expect(await troubles({}, { configurationId: NOWHERE })).toEqual(['failed graph-configuration']);
  });

  test('a probe that leaves its record · warns', async () => {
    const [probeConfigurationId = ''] = sandbox.configurationIds;
    expect(await troubles({}, { probeConfigurationId })).toEqual([]);
    sandbox.script('next delete: 403');
    expect(await troubles({}, { probeConfigurationId })).toEqual(['warning write-probe']);
  });
});

describe('whether creates are taken', () => {
  const creates = async (changes: Record<string, string> = {}, round: Partial<Round> = {}) => {
    for await (const { check, result, detail } of examine(environment(changes), { ...ROUND, ...round })) {
      if (check === 'graph-creates') return `${result}: ${detail}`;
    }
    return null;
  };
  const probeConfigurationId = '1d5c8a52-7e0f-4f1b-9a6d-3c2b1e0f9a81';

  test('nothing was created yet · is not proven · until a probe was, for good', async () => {
    expect(await creates()).toMatch(/^skipped: no create has succeeded yet; --write-probe GUID/);
    expect(await creates({}, { probeConfigurationId })).toMatch(/^ok: it takes creates .*deletes a record by its id/);
    expect(await creates()).toMatch(/^ok: it takes creates/);
  });

  test('a worker created something · it is proven · for that tenant and Graph alone', async () => {
    const subject = `${sandbox.graphBaseUrl} ${sandbox.tenantId}`;
    await redis.client.hset('runstate:{default}:facts', { of: subject, createProven: '1:1764331200000' });
    expect(await creates()).toBe('ok: it takes creates (since 2025-11-28 12:00:00 UTC)');
    await redis.client.hset('runstate:{default}:facts', { of: 'https://graph.microsoft.com/beta another' });
    expect(await creates()).toMatch(/^skipped: .*; --write-probe GUID/);
    expect(await creates({}, { probeConfigurationId })).toMatch(/^ok: it takes creates/);
    expect(await redis.client.hget('runstate:{default}:facts', 'createProven')).toBe('1:1764331200000');
  });

  test('a probe that is refused · proves nothing', async () => {
    sandbox.script('next create: 403');
    expect(await creates({}, { probeConfigurationId })).toMatch(/^skipped: no create has succeeded yet$/);
  });

  test.each(['profile no-keys', '400 as intune', '403', '404', '405', '501'])(
    'a delete that is answered %s · says which record stays behind, and where',
    async (fault) => {
      sandbox.script(fault.startsWith('profile') ? fault : `next 3 deletes: ${fault}`);
      const findings = await findingsOf({ ...ROUND, probeConfigurationId });
      const [record] = sandbox.records();
      const { result, remedy } = findings.find(({ check }) => check === 'write-probe') ?? {};
      expect(result).toBe('warning');
      expect(remedy).toContain(`Record ${record?.id} stays behind in hardware configuration ${probeConfigurationId}`);
      const graph = await redis.client.hgetall('runstate:{default}:facts');
      expect(graph['createProven']).toMatch(/^1:/);
      expect(graph['deleteByKeyTaken'] ?? 'unknown').toMatch(fault === '403' ? /unknown/ : /^0:/);
    },
  );
});

describe('as a command', () => {
  const run = (args: string[], changes: Record<string, string> = {}) =>
    runCli(['doctor', ...args], { env: environment(changes) });

  test('the exit code · tells the worst · 0, 4, 1, 78', async () => {
    const codes = await Promise.all([
      run([]),
      run([], { DEVICE_GROUP_KEYS: GROUP_KEY }),
      run([], { AZURE_CLIENT_SECRET: 'wrong' }),
      run([], { PORT: 'eighty' }),
    ]);
    expect(codes.map(({ code }) => code)).toEqual([0, 4, 1, 78]);
    expect(codes[0].stdout).not.toContain('can deliver');
    expect(codes[0].stdout).toContain('Proven: Redis takes writes, the app gets a token, the token has the permission');
    expect(codes[0].stdout).toMatch(/Not proven: that this tenant takes creates\.\n--write-probe GUID settles it/);
  }, 30_000);

  test('JSON · holds every finding · and nothing it prints is a secret', async () => {
    sandbox.set({ permission: 'taken-away' });
    const { code, stdout, stderr } = await run(['--json']);
    const { result, findings } = JSON.parse(stdout) as {
      result: string;
      findings: { check: string; remedy: unknown }[];
    };
    expect([code, result]).toEqual([1, 'failed']);
    expect(findings.find(({ check }) => check === 'token-roles')).toEqual({
      check: 'token-roles',
      result: 'failed',
      detail: 'the token has no role at all, and not DeviceManagementConfiguration.ReadWrite.All',
      remedy: expect.stringContaining('admin consent') as string,
    });
    const text = await run([]);
    for (const secret of [OLD_GROUP_KEY, OPERATOR_TOKEN, sandbox.clientSecret, 'eyJ']) {
      expect(`${stdout}${stderr}${text.stdout}${text.stderr}`).not.toContain(secret);
    }
  }, 30_000);

  test('the write probe · wants a yes · and a GUID', async () => {
    const [id = ''] = sandbox.configurationIds;
    const unasked = await run(['--write-probe', id]);
    expect([unasked.code, unasked.stderr]).toEqual([64, expect.stringContaining('Say --yes.')]);
    expect((await run(['--write-probe', 'dell', '--yes'])).code).toBe(64);
    expect((await run(['--write-probe', id, '--yes', '--for', 'api'])).code).toBe(64);
    expect(sandbox.stats().byOperation['create'] ?? 0).toBe(0);
    const { code, stdout } = await run(['--write-probe', id, '--yes', '--for', 'worker']);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^ok +write-probe +this tenant takes records: /m)]);
    expect(stdout).toMatch(/\n\nThis environment can deliver\.\n$/);
  }, 30_000);
});

// The command line as an operator and a script use it: real processes, their output and exit codes.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { conclude } from '../support/conclude.ts';
import { begin } from '../../src/domain/delivery.ts';
import { deriveDeviceKey } from '../../src/domain/submission/device-key.ts';
import type { Tenant } from '../../src/queue/tenant.ts';
import { PROFILE_NAMES } from '../../src/sandbox/profiles/named.ts';
import { createAuthority } from '../support/certificates.ts';
import { startTestBridge, type TestBridge } from '../support/bridge.ts';
import { runCli as run } from '../support/cli.ts';
import { runResult } from '../support/device.ts';
import { startApi } from '../support/process.ts';
import { aRun, POLICY } from '../support/tenant.ts';

const OPERATOR_TOKEN = 'operators-of-the-command-line-test';
const groupKey = Buffer.alloc(32, 'cli').toString('base64');
const DEVICE_KEY = deriveDeviceKey(Buffer.from(groupKey, 'base64'), 'device-1').toString('base64');

let bridge: TestBridge;
let queue: Tenant;
let url: string;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'runstate-cli-'));
  bridge = await startTestBridge({ DEVICE_GROUP_KEYS: groupKey, OPERATOR_TOKEN });
  ({ queue, url } = bridge);
});
afterAll(async () => {
  await bridge.close();
  await rm(directory, { recursive: true, force: true });
});

describe('device-key', () => {
  test('the documented group key and device · give the documented device key', async () => {
    const { code, stdout } = await run(['device-key', 'sn-007-888-abc-mac-a1-b2-c3-d4-e5-f6'], {
      env: {
        DEVICE_GROUP_KEYS: '8isrFI1sGsIlvvFSSFRiMfCNzv21fjbE/+ah/lSh3lF8e2YG1Te7w1KpZhJFFXJrqYKi9yegxkqIChbqOS9Egw==',
      },
    });
    expect(stdout).toBe('Jsm0lyGpjaVYVP2g3FnmnmG9dI/9qU24wNoykUmermc=\n');
    expect(code).toBe(0);
  });

  test.each([
    ['no group key', 'device-1', {}],
    ['a malformed group key', 'device-1', { DEVICE_GROUP_KEYS: 'short' }],
    ['a device id with a space', 'device 1', { DEVICE_GROUP_KEYS: groupKey }],
  ])('%s · is wrong use · and says so', async (_, deviceId, env) => {
    const { code, stderr, stdout } = await run(['device-key', deviceId], { env });
    expect(code).toBe(64);
    expect(stdout).toBe('');
    expect(stderr).not.toBe('');
  });
});

describe('report', () => {
  test('with a certificate and its key · signs with them · and what cannot be used is said', async () => {
    const root = await createAuthority();
    const issuing = await root.below();
    const { pem, keyPem } = await issuing.issue({ subject: 'CN=device-1' });
    const file = (name: string) => join(directory, name);
    await Promise.all([
      writeFile(file('ca.pem'), root.pem),
      writeFile(file('device.pem'), pem + issuing.pem),
      writeFile(file('key.pem'), keyPem),
      writeFile(file('other.pem'), (await root.issue()).keyPem),
    ]);
    const own = await startApi({
      REDIS_URL: bridge.redis.url,
      REDIS_PREFIX: 'certificates',
      DEVICE_CA_FILE: file('ca.pem'),
    });
    const report = (...flags: string[]) =>
      run(['report', '-', '--url', own.url, ...flags], { input: JSON.stringify(runResult({ deviceId: 'device-1' })) });
    const certificate = ['--certificate', file('device.pem')];
    expect(await report(...certificate, '--private-key', file('key.pem'))).toMatchObject({ code: 0 });
    for (const [flags, code, why] of [
      [certificate, 64, /both --certificate and --private-key/],
      [[...certificate, '--private-key', file('key.pem'), '--key-file', 'x'], 64, /either --key-file or --certificate/],
      [[...certificate, '--private-key', file('other.pem')], 78, /not the certificate’s/],
      [[...certificate, '--private-key', file('ca.pem')], 78, /private key cannot be read/],
      [['--certificate', file('key.pem'), '--private-key', file('key.pem')], 78, /no certificate/],
      [[...certificate, '--private-key', file('none.pem')], 78, /none\.pem/],
    ] as const) {
      const answer = await report(...flags);
      expect([answer.code, answer.stdout]).toEqual([code, '']);
      expect(answer.stderr).toMatch(why);
    }
    await own.api.close();
  });

  test('a run result on standard input · is submitted · and the receipt printed', async () => {
    const { code, stdout } = await run(['report', '-', '--url', url], {
      env: { DEVICE_KEY },
      input: JSON.stringify(aRun(1)),
    });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ runId: 'run-1', status: 'queued', duplicate: false });
  });

  test.each([
    ['signed', '-2', -2],
    ['unsigned', '2147942405', -2_147_024_891],
  ])('flags alone and a key file · are enough · the exit code %s', async (_how, exitCode, kept) => {
    const keyFile = join(directory, 'key');
    await writeFile(keyFile, `${DEVICE_KEY}\n`);
    const flags = [
      '--device-id',
      'device-1',
      '--configuration',
      aRun(1).hardwareConfigurationId,
      '--device-name',
      'PC',
      '--policy-version',
      '3',
      `--exit-code=${exitCode}`,
    ];
    const { code, stdout } = await run(['report', '--url', url, '--key-file', keyFile, ...flags]);
    expect(code).toBe(0);
    const { deliveryId } = JSON.parse(stdout) as { deliveryId: string };
    expect((await queue.deliveries.load(deliveryId))?.run).toMatchObject({ exitCode: kept, policyVersion: 3 });
  });

  test('an exit code of more than 32 bits · is wrong use · and sends nothing', async () => {
    const { code, stderr } = await run(['report', '--url', url, '--exit-code=4294967296'], { env: { DEVICE_KEY } });
    expect([code, stderr.includes('4294967295')]).toEqual([64, true]);
  });

  test('a malformed run result · is refused with every fault · exit 65', async () => {
    const { code, stderr } = await run(['report', '-', '--url', url], {
      env: { DEVICE_KEY },
      input: JSON.stringify({ ...aRun(2), deviceId: 'device-1', policyVersion: -1, completedAt: 'today' }),
    });
    expect(code).toBe(65);
    expect(stderr).toContain('/policyVersion');
    expect(stderr).toContain('/completedAt');
  });

  test('a wrong key · exit 65 · nobody there · exit 75 · no key · exit 64', async () => {
    const input = JSON.stringify(aRun(1));
    const wrong = await run(['report', '-', '--url', url], { env: { DEVICE_KEY: 'd3Jvbmc=' }, input });
    expect([wrong.code, wrong.stderr.includes('unauthenticated')]).toEqual([65, true]);
    expect((await run(['report', '-', '--url', 'http://127.0.0.1:1'], { env: { DEVICE_KEY }, input })).code).toBe(75);
    expect((await run(['report', '-', '--url', url], { input })).code).toBe(64);
    expect((await run(['report', '-'], { input })).code).toBe(64);
  });

  test('--spool · keeps what cannot be sent · and sends it with the next', async () => {
    const spool = join(directory, 'spool');
    const report = (address: string, number: number, changes = {}) =>
      run(['report', '-', '--url', address, '--spool', spool], {
        env: { DEVICE_KEY },
        input: JSON.stringify({ ...aRun(number), deviceId: 'device-1', ...changes }),
      });
    const kept = await report('http://127.0.0.1:1', 11);
    expect([kept.code, kept.stdout, kept.stderr]).toEqual([75, '', expect.stringContaining('kept') as string]);
    const invalid = await report(url, 12, { policyVersion: -1 });
    expect([invalid.code, invalid.stderr.includes('/policyVersion')]).toEqual([65, true]);
    const sent = await report(url, 13);
    expect(sent.code).toBe(0);
    expect(JSON.parse(sent.stdout)).toEqual({
      deliveryId: expect.stringMatching(/^d/) as string,
      runId: 'run-13',
      duplicate: false,
    });
    const conflict = await report(url, 11, { policyVersion: 5 });
    expect([conflict.code, conflict.stderr.includes('run-id-reused')]).toEqual([65, true]);
    await writeFile(join(directory, 'file'), '');
    const { code } = await run(
      ['report', '--url', url, '--device-id', 'device-1', '--spool', join(directory, 'file')],
      {
        env: { DEVICE_KEY },
      },
    );
    expect(code).toBe(73);
  });

  test('waiting for a delivery nobody works on · exit 3 · and shows where it is', async () => {
    const { code, stdout } = await run(['report', '-', '--url', url, '--wait', '1'], {
      env: { DEVICE_KEY },
      input: JSON.stringify(aRun(1)),
    });
    expect(code).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({ status: 'queued' });
  });
});

describe('dead letters', () => {
  const operator = { env: { OPERATOR_TOKEN } };

  async function bury(number: number): Promise<string> {
    const answer = await queue.deliveries.accept(aRun(number), 1);
    if (answer.kind !== 'accepted') throw new Error(answer.kind);
    const stored = await queue.deliveries.load(answer.delivery.id);
    if (!stored) throw new Error('not stored');
    const rejected = {
      kind: 'rejected',
      status: 404,
      detail: 'no such configuration',
      graph: { status: 404, code: null, requestId: 'req-1' },
    } as const;
    const { delivery } = conclude({
      delivery: begin(stored.delivery, 2),
      outcome: rejected,
      circumstances: { now: 2, random: 0, held: false },
      policy: POLICY,
    });
    await queue.deliveries.save(stored, delivery, { now: 2 });
    return delivery.id;
  }

  test('they · are listed, counted, replayed and purged · each only when meant', async () => {
    const ids = [await bury(11), await bury(12), await bury(13)];
    const table = await run(['dead-letters', '--url', url], operator);
    expect(table.stdout).toContain(ids[0]);
    expect(table.stdout).toContain('graph-404');
    const json = await run(['dead-letters', '--url', url, '--device', 'device-12', '--json'], operator);
    expect(JSON.parse(json.stdout)).toMatchObject([{ deliveryId: ids[1] }]);

    expect((await run(['replay', '--url', url, '--code', 'graph-404', '--dry-run'], operator)).stdout).toContain(
      '3 dead letters match',
    );
    expect((await run(['replay', '--url', url, '--code', 'graph-404'], operator)).code).toBe(64);
    expect((await run(['replay', '--url', url], operator)).code).toBe(64);
    expect((await queue.deliveries.counts()).dead).toBe(3);

    expect((await run(['replay', ids[0] ?? '', '--url', url], operator)).stdout).toContain('1 replayed');
    expect((await run(['replay', '--url', url, '--device', 'device-12', '--yes'], operator)).stdout).toContain(
      '1 replayed',
    );
    expect((await run(['dead-letters', '--url', url, '--purge', '--yes'], operator)).code).toBe(64);
    expect((await run(['dead-letters', '--url', url, '--purge', '--all'], operator)).code).toBe(64);
    expect((await run(['dead-letters', '--url', url, '--purge', '--all', '--yes'], operator)).stdout).toContain(
      '1 purged',
    );
    expect((await run(['dead-letters', '--url', url], operator)).stdout).toContain('No dead letters');
  }, 60_000);

  test('at a rate · they go back in the background · listed, paused, resumed and cancelled', async () => {
    await Promise.all([bury(21), bury(22)]);
    const replay = (...args: string[]) => run(['replay', ...args, '--url', url], operator);
    expect((await replay('list')).stdout).toContain('No replay at a rate lately.');
    const asked = await replay('--code', 'graph-404', '--rate', '0.01');
    expect([asked.code, asked.stderr]).toEqual([64, expect.stringContaining('about 3 min') as string]);
    expect((await replay('--all', '--rate', '1001', '--yes')).code).toBe(64);
    expect((await replay('dfgm6RhtiTiMRVNgn_b9Y1w', '--rate', '1')).code).toBe(64);
    const started = await replay('--code', 'graph-404', '--rate', '0.01', '--yes');
    const id = /r[\w-]{16}/.exec(started.stdout)?.[0] ?? '';
    expect([started.code, id]).toEqual([0, expect.stringMatching(/./) as string]);
    const second = await replay('--all', '--rate', '1', '--yes');
    expect([second.code, second.stderr]).toEqual([65, expect.stringContaining('replay-running') as string]);
    expect((await replay('pause', id)).stdout).toContain('paused');
    expect((await replay('resume', id)).stdout).toContain('running');
    expect((await replay('cancel', id)).stdout).toContain('cancelled');
    expect((await replay('pause', id)).code).toBe(65);
    expect((await replay('pause', '../x')).code).toBe(64);
    expect(JSON.parse((await replay('list', '--json')).stdout)).toMatchObject([{ id, state: 'cancelled', matched: 2 }]);
  }, 60_000);

  test('without the token, or with a wrong one · nothing is shown', async () => {
    expect((await run(['dead-letters', '--url', url])).code).toBe(64);
    const wrong = await run(['dead-letters', '--url', url], { env: { OPERATOR_TOKEN: 'x'.repeat(40) } });
    expect([wrong.code, wrong.stdout]).toEqual([65, '']);
  });
});

test('a profile of the sandbox · nobody knows · is wrong use, with those there are · and the help describes each', async () => {
  const [wrong, help] = await Promise.all([run(['sandbox', '--profile', 'no-such']), run(['sandbox', '--help'])]);
  expect([wrong.code, wrong.stderr]).toEqual([64, expect.stringMatching(/'no-such' is invalid.*no-create, no-filter/)]);
  for (const name of PROFILE_NAMES) expect(help.stdout).toMatch(new RegExp(`^  ${name} +\\S`, 'm'));
}, 30_000);

test('the demo with tenants · shows one that flows, one that is held, one that is throttled', async () => {
  const { code, stdout } = await run(['demo', '--tenants', '3', '--once', '--devices', '8', '--time-scale', '20']);
  expect(stdout).toMatch(/tenant-1 +│ flows +│ 8 +│ 8 +│/);
  expect(stdout).toMatch(/tenant-2 +│ is held: [^│]+│ 8 +│ 0 +│/);
  expect(stdout).toContain('is throttled');
  expect(code).toBe(0);
}, 90_000);

test('the demo · delivers every device once · and says so by exit 0', async () => {
  const { code, stdout } = await run(['demo', '--once', '--devices', '12', '--time-scale', '20'], {
    env: { TMPDIR: directory },
  });
  expect(stdout).toContain('once each');
  expect(code).toBe(0);
}, 120_000);

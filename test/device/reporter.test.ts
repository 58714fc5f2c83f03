// The device client's reporter and its spool: what is kept, for how long, and that each result arrives once, whatever happens.
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { InvalidRun, type DeviceIdentity } from '../../src/device/package.ts';
import { createAgentDevice, ONE_SHELL, startAgentBridge, startStranger, type AgentBridge } from '../support/agent.ts';
import { createAuthority, type Authority } from '../support/certificates.ts';
import { createReportingDevice, RAN, type ReportingDevice } from '../support/reporter.ts';
import { until } from '../support/until.ts';

const NOWHERE = 'http://127.0.0.1:9';
const HOUR_MS = 3_600_000;

let directory: string;
let root: Authority;
let bridge: AgentBridge;
let stranger: Awaited<ReturnType<typeof startStranger>>;
let device: ReportingDevice;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'runstate-reporter-ca-'));
  root = await createAuthority();
  await writeFile(join(directory, 'ca.pem'), root.pem);
  bridge = await startAgentBridge({ env: { DEVICE_CA_FILE: join(directory, 'ca.pem') } });
  stranger = await startStranger((_request, response) => response.end());
});
afterAll(async () => {
  await stranger.close();
  await bridge.close();
  await rm(directory, { recursive: true, force: true });
});
beforeEach(() => (device = createReportingDevice()));
afterEach(() => device.close());

const stored = async (deviceId = device.deviceId) =>
  (await bridge.stored(deviceId)).map(({ runId }) => String(runId)).sort();

/** The bridge stores what it is sent, and its answer is lost. */
async function forward(request: IncomingMessage, body: Buffer): Promise<void> {
  const ends = Object.entries(request.headers).filter(([name]) => /^(content-(type|digest)|signature)/.test(name));
  const headers = Object.fromEntries(ends.map(([name, value]) => [name, String(value)]));
  await fetch(`${bridge.url}${request.url ?? ''}`, { method: 'POST', headers, body: new Uint8Array(body) });
}

describe('a reporter', () => {
  test('a week offline · keeps 50 results for their owner alone · and each arrives once, as one batch', async () => {
    const now = Date.now();
    let ago = 7 * 24 * HOUR_MS;
    const offline = await device.reporter(NOWHERE, { clock: () => now - ago, random: () => 0.5 });
    for (let index = 0; index < 50; index += 1) {
      ago -= 3 * HOUR_MS;
      await offline.add({ ...RAN, runId: `run-${String(index).padStart(2, '0')}`, output: `line ${index}\n` });
      if (index % 10 === 0) expect(await offline.send()).toMatchObject({ left: index + 1, stored: 0 });
    }
    const modes = [device.spool, ...device.kept().map((name) => join(device.spool, name))];
    expect(new Set(modes.map((path) => statSync(path).mode & 0o777))).toEqual(new Set([0o700, 0o600]));
    expect(device.kept()).toHaveLength(50);

    const online = await device.reporter(bridge.url, { random: () => 0.5 });
    expect(await online.send()).toEqual({ left: 0, stored: 50, refused: 0, retryAt: null });
    expect(await stored()).toEqual(Array.from({ length: 50 }, (_, index) => `run-${String(index).padStart(2, '0')}`));
    const told = device.events.filter(({ type }) => type === 'stored');
    expect(told).toHaveLength(50);
    expect(told.every((event) => 'duplicate' in event && !event.duplicate)).toBe(true);
    // The first send after failures waits at random once more.
    expect(device.waitedS).toHaveLength(5);
    await online.close();
    expect(readdirSync(device.spool).filter((name) => !name.startsWith('work.'))).toEqual(['refused']);
  });

  test('killed in mid-send, after the bridge stored it · sends it again · and it is the same run', async () => {
    let isStored = false;
    stranger.answer = (request) => {
      void buffer(request)
        .then((body) => forward(request, body))
        .then(() => (isStored = true));
    };
    const child = device.startProcess(stranger.url, 'run-1');
    await until('the bridge has it, and the device no answer', () => isStored, 20_000);

    const other = await device.reporter(bridge.url);
    await other.add({ ...RAN, runId: 'run-2' });
    expect(await other.send()).toMatchObject({ left: 2, stored: 0, retryAt: null });
    expect(device.waitedS).toHaveLength(6);

    child.kill();
    await child.ended;
    expect(readdirSync(device.spool).filter((name) => name.startsWith('lock.'))).toHaveLength(1);
    expect(await other.send()).toMatchObject({ left: 0, stored: 2 });
    expect(device.events.map((event) => 'duplicate' in event && [event.runId, event.duplicate])).toEqual([
      ['run-1', true],
      ['run-2', false],
    ]);
    expect(await stored()).toEqual(['run-1', 'run-2']);
    expect(readdirSync(device.spool).filter((name) => /^(lock|work)\./.test(name))).toHaveLength(1);
  }, 60_000);

  test('two parts of one process · send one at a time · and nothing twice', async () => {
    const reporter = await device.reporter(bridge.url);
    const twin = await device.reporter(bridge.url);
    await Promise.all([reporter.add({ ...RAN, runId: 'run-1' }), twin.add({ ...RAN, runId: 'run-2' })]);
    const sent = await Promise.all([reporter.send(), twin.send()]);
    expect(sent.map((summary) => summary.stored).sort()).toEqual([0, 2]);
    expect(await stored()).toEqual(['run-1', 'run-2']);
  });

  test('a spool of the sh agent · is taken over · and given back', async () => {
    const agent = createAgentDevice(ONE_SHELL);
    const options = ['--spool', device.spool, '--device-id', device.deviceId, '--no-wait'];
    await writeFile(join(device.directory, 'key'), device.deviceKey);
    options.push('--key-file', join(device.directory, 'key'));
    const described = ['--configuration', RAN.hardwareConfigurationId, '--policy-version', '4', '--state', 'fail'];
    const added = await agent.run(['add', '--url', NOWHERE, ...options, ...described, '--run-id', 'by-sh']);
    expect(added).toMatchObject({ code: 75 });

    const reporter = await device.reporter(NOWHERE);
    await reporter.add({ ...RAN, runId: 'by-node' });
    expect(await reporter.send({ waits: false })).toMatchObject({ left: 2 });
    expect(device.read('not-before')).toMatch(/^\d+ (2[2-9]|3[0-3]) agent\n$/);
    expect(await agent.run(['send', '--url', bridge.url, ...options])).toMatchObject({ code: 0 });
    expect(await stored()).toEqual(['by-node', 'by-sh']);

    await agent.run(['add', '--url', NOWHERE, ...options, ...described, '--run-id', 'by-sh-again']);
    expect(await (await device.reporter(bridge.url)).send({ waits: false })).toMatchObject({ left: 0, stored: 1 });
    agent.close();
  });

  test('results that are refused, or of which a crash left nothing · are set aside · and hold up no other', async () => {
    const reporter = await device.reporter(bridge.url);
    const line = JSON.stringify({ ...RAN, runId: 'bad', deviceId: device.deviceId, deviceName: 'x', completedAt: 'y' });
    const nowS = Math.floor(Date.now() / 1000);
    writeFileSync(join(device.spool, `${nowS - 2}-empty.json`), '');
    writeFileSync(join(device.spool, `${nowS - 1}-bad.json`), `${line}\n`);
    await reporter.add({ ...RAN, runId: 'good' });
    expect(await reporter.send()).toEqual({ left: 0, stored: 1, refused: 2, retryAt: null });
    expect(device.refused()).toEqual([`${nowS - 2}-empty.json`, `${nowS - 1}-bad.json`]);
    expect(JSON.parse(device.read(`refused/${nowS - 1}-bad.json.answer`))).toMatchObject({
      code: 'invalid-run-result',
      errors: [{ pointer: '/completedAt' }],
    });
    expect(await stored()).toEqual(['good']);
  });

  test('a clock that is wrong by an hour · is corrected by the server’s', async () => {
    const reporter = await device.reporter(bridge.url, { clock: () => Date.now() - HOUR_MS });
    await reporter.add({ ...RAN, runId: 'run-1' });
    expect(await reporter.send()).toMatchObject({ left: 0, stored: 1 });
    expect(device.events[0]).toEqual({ type: 'clock-differs', byS: expect.closeTo(3600, -1) as number });
  });

  test('a certificate · signs · for the device in its subject', async () => {
    const deviceId = `${device.deviceId}-certified`;
    const made = await root.issue({ subject: `CN=${deviceId}, O=Contoso` });
    const identity = { certificate: made.pem, privateKey: made.keyPem };
    const reporter = await device.reporter(bridge.url, { identity });
    await reporter.add({ ...RAN, runId: 'run-1' });
    expect(await reporter.send()).toMatchObject({ left: 0, stored: 1 });
    expect(await stored(deviceId)).toEqual(['run-1']);
  });

  test('passwords and control characters · are gone · before anything is on the disk', async () => {
    const reporter = await device.reporter(NOWHERE);
    const output = Buffer.from('\u001b[33m--setuppwd=Geheim1\u001b[0m\r\nGr\x94\xe1e\0', 'latin1');
    await reporter.add({ ...RAN, runId: 'run-1', output, codePage: 850, error: 'x'.repeat(60_000) });
    const [name = ''] = device.kept();
    const kept = JSON.parse(device.read(name)) as { output: string; error: string };
    expect(kept.output).toBe('[33m--setuppwd=[masked]\r\nGröße');
    expect(kept.error).toBe(`${'x'.repeat(24_576)}\n[... 10848 bytes left out ...]\n${'x'.repeat(24_576)}`);
  });

  test('a spool that is too old or too large · drops its oldest · and says so', async () => {
    const nowS = Math.floor(Date.now() / 1000);
    mkdirSync(device.spool);
    for (const [ageS, runId, bytes] of [
      [3 * 3600, 'old', 1000],
      [600, 'large', 1_048_000],
      [500, 'next', 1000],
    ] as const) {
      writeFileSync(join(device.spool, `${nowS - ageS}-${runId}.json`), 'x'.repeat(bytes));
    }
    const reporter = await device.reporter(NOWHERE, { maxAgeH: 2, maxMb: 1 });
    await reporter.add({ ...RAN, runId: 'new' });
    stranger.answer = () => undefined;
    await reporter.send({ waits: false });
    const dropped = device.events.flatMap((event) =>
      event.type === 'dropped' ? [event.file.replace(/^\d+-/, '')] : [],
    );
    expect(dropped).toEqual(['old.json', 'large.json']);
  });

  test('sendAll · waits as it must · until everything is stored', async () => {
    let asked = 0;
    stranger.answer = (request, response) => {
      asked += 1;
      if (asked <= 2) {
        response.writeHead(503, { 'Retry-After': '7' }).end();
        return;
      }
      void buffer(request).then((body) => {
        const { runId } = JSON.parse(body.toString()) as { runId: string };
        response.writeHead(202).end(JSON.stringify({ deliveryId: 'd1', runId, status: 'queued' }));
      });
    };
    let nowMs = Math.floor(Date.now() / 1000) * 1000;
    const wait = (ms: number) => Promise.resolve(void ((nowMs += ms), device.waitedS.push(ms / 1000)));
    const reporter = await device.reporter(stranger.url, { clock: () => nowMs, random: () => 0.5, wait });
    await reporter.add({ ...RAN, runId: 'run-1' });
    expect(await reporter.sendAll()).toEqual({ left: 0, stored: 1, refused: 0, retryAt: null });
    // After the first failure 7 s and half of 19 s, after the second 7 s and half of 28 s.
    expect(device.waitedS).toEqual([8, 9, 8, 14]);
  });

  test('a run that no bridge would accept · is refused at once · and not kept', async () => {
    const reporter = await device.reporter(NOWHERE);
    const wrong = { hardwareConfigurationId: 'x', policyVersion: -1 };
    await expect(reporter.add(wrong)).rejects.toThrow(InvalidRun);
    await expect(reporter.add(wrong)).rejects.toThrow(
      'not a run result: /hardwareConfigurationId must be a GUID, /policyVersion must be a whole number from 0 to 2147483647, / one of state and exitCode is required',
    );
    await expect(reporter.add({ ...RAN, output: Buffer.from('x'), codePage: 1 })).rejects.toThrow(RangeError);
    expect(device.kept()).toEqual([]);
  });

  const KEY = 'Jsm0lyGpjaVYVP2g3FnmnmG9dI/9qU24wNoykUmermc=';

  test.each<[string, string, DeviceIdentity, RegExp]>([
    ['another protocol', 'ftp://bridge', { deviceId: 'x', deviceKey: KEY }, /http/],
    ['a query', 'http://bridge?x', { deviceId: 'x', deviceKey: KEY }, /no query/],
    ['a device id with a space', NOWHERE, { deviceId: 'a b', deviceKey: KEY }, /device id/],
    ['a key that is none', NOWHERE, { deviceId: 'x', deviceKey: 'no key' }, /base64/],
    ['a short key', NOWHERE, { deviceId: 'x', deviceKey: 'c2hvcnQ=' }, /16 to 64 bytes/],
    ['no certificate', NOWHERE, { certificate: '', privateKey: '' }, /no certificate in PEM/],
  ])('wrong use · %s · is explained', async (_what, url, identity, said) => {
    await expect(device.reporter(url, { identity })).rejects.toThrow(said);
  });
});

const JSON_TYPE = { 'Content-Type': 'application/problem+json' };
const receipt = (runId: string) => JSON.stringify({ deliveryId: 'd1', runId, status: 'queued' });

/** Answers of others than the bridge, or not for good: nothing of them may lose a result. */
const STRANGE: [string, number, Record<string, string>, string][] = [
  ['a portal that says 200', 200, { 'Content-Type': 'text/html' }, '<html>Sign in'],
  ['a portal that redirects', 302, { Location: 'http://portal.invalid/' }, ''],
  ['a proxy that says 403', 403, { 'Content-Type': 'text/html' }, '<html>Blocked'],
  ['a gateway that says 403 in JSON', 403, JSON_TYPE, '{"status":403,"code":"AccessDenied"}'],
  ['a proxy that wants a password', 407, {}, ''],
  ['a wrong address', 404, JSON_TYPE, '{"status":404,"code":"not-found"}'],
  ['a key that is not valid', 401, {}, '{"status":401,"code":"unauthenticated"}'],
  ['a server in trouble', 500, JSON_TYPE, '{"status":500,"code":"defect"}'],
  ['a full backlog', 429, JSON_TYPE, '{"status":429,"code":"backlog-full"}'],
  ['another run’s receipt', 202, {}, receipt('run-10')],
  ['a receipt without an id', 200, {}, '{"runId":"run-1","status":"queued"}'],
  ['a refusal in other words', 422, {}, '{"error":"invalid"}'],
  ['more than any answer has', 200, {}, 'x'.repeat(2_000_000)],
  ['a list for one', 200, {}, `[${receipt('run-1')}]`],
];

test('an answer that is not the bridge’s · loses nothing · of one result or of several', async () => {
  const reporter = await device.reporter(stranger.url);
  await reporter.add({ ...RAN, runId: 'run-1' });
  for (const several of [false, true]) {
    if (several) await reporter.add({ ...RAN, runId: 'run-2' });
    const left = several ? 2 : 1;
    for (const [name, status, headers, body] of STRANGE) {
      stranger.answer = (_request, response) => response.writeHead(status, headers).end(body);
      const summary = await reporter.send({ waits: false });
      // In a batch, that list has one result's receipt: it is stored.
      if (several && name === 'a list for one') expect(summary).toMatchObject({ left: 1, stored: 1 });
      else expect({ name, ...summary }).toMatchObject({ name, left, stored: 0, refused: 0 });
    }
  }
});

test('a server that does not answer · is given up · when the caller says so', async () => {
  const reporter = await device.reporter(stranger.url);
  await reporter.add({ ...RAN, runId: 'run-1' });
  stranger.answer = () => undefined;
  const asked = stranger.asked;
  const stop = new AbortController();
  const sent = reporter.send({ signal: stop.signal });
  await until('the server is asked', () => stranger.asked > asked);
  stop.abort();
  await expect(sent).rejects.toThrow('aborted');
  // Its lock is gone: another send need not wait.
  expect(readdirSync(device.spool).filter((name) => name.startsWith('lock.'))).toEqual([]);
});

test.each([
  ['seconds', () => '100', 90, 105],
  ['a date', () => new Date(Date.now() + 100_000).toUTCString(), 90, 105],
  ['a year', () => '31536000', 86_399, 86_401],
])('Retry-After of %s · is obeyed for up to a day · also by those that do not wait', async (_form, after, min, max) => {
  const reporter = await device.reporter(stranger.url);
  await reporter.add({ ...RAN, runId: 'run-1' });
  stranger.answer = (_request, response) => response.writeHead(429, { 'Retry-After': after() }).end();
  const asked = stranger.asked;
  const { retryAt } = await reporter.send({ waits: false });
  expect((Number(retryAt) - Date.now()) / 1000).toSatisfy((aheadS: number) => aheadS > min && aheadS < max);
  expect(await reporter.send({ waits: false })).toMatchObject({ left: 1, retryAt: expect.any(Date) as Date });
  expect(stranger.asked - asked).toBe(1);
});

// What goes wrong around the PowerShell agent: full disks, strangers' answers, revoked devices, wrong clocks. One process runs it all.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  createAgentDevice,
  isInstalled,
  RUN,
  startAgentBridge,
  startStranger,
  type AgentBridge,
  type AgentDevice,
} from '../../support/agent.ts';
import { openPowerShellSession, type PowerShellSession, type Said } from '../../support/powershell-session.ts';
import { canMount, fillDisk, makeRoom, mountSmallDisk, unmount } from '../../support/small-disk.ts';

const AGENT = 'src/agent/report-run.ps1';
const NOWHERE = 'http://127.0.0.1:9';
const AT = '2026-11-20T10:00:00Z';
const isMissing = !isInstalled('pwsh');
const NAME = isMissing ? 'the PowerShell agent – skipped, it is not installed' : 'the PowerShell agent';

/** Answers of others than the bridge: nothing of them may lose a result. */
const STRANGE: [string, number, Record<string, string>, string][] = [
  ['a portal that says 200', 200, { 'Content-Type': 'text/html' }, '<html>Sign in'],
  ['a portal that leads elsewhere', 302, { Location: 'http://127.0.0.1:9/' }, ''],
  ['a proxy that says 403', 403, { 'Content-Type': 'text/html' }, '<html>Blocked'],
  ['a gateway that says 403 in JSON', 403, { 'Content-Type': 'application/json' }, '{"code":"blocked"}'],
  ['a wrong address', 404, { 'Content-Type': 'application/problem+json' }, '{"status":404,"code":"not-found"}'],
  ['a key that is not valid', 401, {}, '{"type":"urn:runstate-bridge:problem:unauthenticated","status":401}'],
  ['another run’s receipt', 202, {}, '{"deliveryId":"d1","runId":"run-10","status":"queued"}'],
  ['a receipt that is cut', 202, {}, '{"deliveryId":"d1","runId":"run-1"'],
  ['a text that is no JSON', 202, {}, 'null'],
];

describe.skipIf(isMissing)(NAME, { timeout: 60_000 }, () => {
  let bridge: AgentBridge;
  let session: PowerShellSession;
  let device: AgentDevice;
  beforeAll(async () => {
    session = openPowerShellSession(AGENT);
    bridge = await startAgentBridge();
  });
  afterAll(async () => {
    await session.close();
    await bridge.close();
  });
  beforeEach(() => (device = createAgentDevice([])));
  afterEach(() => device.close());

  const addArgs = (url: string, runId: string, ...more: string[]) => {
    const run = [...RUN, '--exit-code', '0', '--run-id', runId, '--completed-at', AT];
    return ['add', ...device.options(url), ...run, '--no-wait', ...more];
  };
  const add = (url: string, runId: string, ...more: string[]): Promise<Said> =>
    session.run(addArgs(url, runId, ...more));
  const send = (url: string): Promise<Said> => session.run(['send', ...device.options(url), '--no-wait']);
  const runIds = async () => (await bridge.stored(device.deviceId)).map(({ runId }) => runId).sort();
  const spool = () => readdirSync(device.spool).sort();

  const titled = canMount ? 'a full disk' : 'a full disk – skipped, this user cannot mount one';
  test.skipIf(!canMount)(
    `${titled} · is 73 · and keeps all of a result or nothing, and what was kept before`,
    async () => {
      mkdirSync(device.spool);
      expect(mountSmallDisk(device.spool)).toBe(true);
      try {
        expect(await add(NOWHERE, 'before')).toMatchObject({ code: 75 });
        const output = 'SecureBoot: Enabled\n'.repeat(600);
        const file = join(device.directory, 'printed');
        writeFileSync(file, output);
        const kept: string[] = [];
        const codes = [];
        for (const blocks of [0, 1, 2, 3, 5]) {
          fillDisk(device.spool, blocks);
          const { code } = await add(NOWHERE, `run-${blocks}`, '--output', file);
          codes.push(code);
          if (code === 75) kept.push(`run-${blocks}`);
          makeRoom(device.spool);
          expect(device.kept().map((name) => name.replace(/^\d+-(.*)\.json$/, '$1'))).toEqual(['before', ...kept]);
          expect(spool().filter((name) => !name.endsWith('.json'))).toEqual(['lock', 'not-before', 'refused']);
        }
        expect(new Set(codes)).toEqual(new Set([73, 75]));
        expect(await send(bridge.url)).toEqual({ code: 0, said: '' });
        expect(await runIds()).toEqual(['before', ...kept].sort());
        const texts = (await bridge.stored(device.deviceId)).flatMap((run) => run['output'] ?? []);
        expect(texts).toEqual(kept.map(() => output));
      } finally {
        unmount(device.spool);
      }
    },
  );

  test('an answer that is not the bridge’s · loses nothing', async () => {
    const stranger = await startStranger((_request, response) => response.end());
    for (const [name, status, headers, body] of STRANGE) {
      stranger.answer = (_request, response) => response.writeHead(status, headers).end(body);
      const asked = stranger.asked;
      const { code } = device.kept().length === 0 ? await add(stranger.url, 'run-1') : await send(stranger.url);
      const got = { name, code, kept: device.kept().length, refused: device.refused(), asked: stranger.asked - asked };
      expect(got).toEqual({ name, code: 75, kept: 1, refused: [], asked: 1 });
    }
    // The same for several at once.
    expect(await add(stranger.url, 'run-2')).toMatchObject({ code: 75 });
    for (const body of ['<html>', '[]', '[null,7]', '{"deliveryId":"d","runId":"run-1"}', '["run-1","run-2"]']) {
      stranger.answer = (_request, response) => response.writeHead(200).end(body);
      expect([body, (await send(stranger.url)).code, device.kept().length]).toEqual([body, 75, 2]);
    }
    // What the server chose is obeyed even so.
    stranger.answer = (_request, response) => response.writeHead(503, { 'Retry-After': '120' }).end();
    expect((await send(stranger.url)).code).toBe(75);
    const asked = stranger.asked;
    expect(await send(stranger.url)).toMatchObject({
      code: 75,
      said: expect.stringMatching(/next 1[12]\d s/) as string,
    });
    expect(stranger.asked).toBe(asked);
    rmSync(join(device.spool, 'not-before'));
    await stranger.close();
    expect(await send(bridge.url)).toEqual({ code: 0, said: '' });
    expect(await runIds()).toEqual(['run-1', 'run-2']);
  });

  test('a device that is revoked · keeps its results · until it is restored', async () => {
    await bridge.operate(device.deviceId, 'revoke');
    expect(await add(bridge.url, 'run-1')).toEqual({ code: 75, said: expect.stringContaining('answer 401') as string });
    expect({ kept: device.kept().length, refused: device.refused() }).toEqual({ kept: 1, refused: [] });
    await bridge.operate(device.deviceId, 'restore');
    expect(await send(bridge.url)).toMatchObject({ code: 0 });
    expect(await runIds()).toEqual(['run-1']);
  });

  test.each([-9 * 86_400, 9 * 86_400])(
    'a clock that is wrong by %i s · is corrected by the server’s',
    async (aheadS) => {
      expect(await session.run(addArgs(NOWHERE, 'run-1'), aheadS)).toMatchObject({ code: 75 });
      // What it waited for is of its own clock.
      const sent = await session.run(['send', ...device.options(bridge.url), '--no-wait'], aheadS);
      expect(sent).toEqual({
        code: 0,
        said: expect.stringMatching(/^the clock differs from the server's by -?\d+ s$/) as string,
      });
      expect(await runIds()).toEqual(['run-1']);
    },
  );

  test('a result that is refused · is set aside · with the answer', async () => {
    expect(await add(bridge.url, 'run-1')).toEqual({ code: 0, said: '' });
    // Sent again it is the same run; with other content it is refused.
    expect(await add(bridge.url, 'run-1')).toEqual({ code: 0, said: '' });
    expect(await add(bridge.url, 'run-1', '--completed-at', 'yesterday "or so"')).toMatchObject({ code: 65 });
    const [name = ''] = device.refused();
    const answer = readFileSync(join(device.spool, 'refused', `${name}.answer`), 'utf8');
    expect(JSON.parse(answer)).toMatchObject({ code: 'invalid-run-result', errors: [{ pointer: '/completedAt' }] });
    expect(await add(bridge.url, 'run-1', '--exit-code', '1')).toMatchObject({ code: 65 });
    expect({ kept: device.kept(), refused: device.refused().length }).toEqual({ kept: [], refused: 2 });
    expect(await runIds()).toEqual(['run-1']);
  });

  test('a file of megabytes · is read as it comes · and its beginning and end are kept', async () => {
    const text = Array.from({ length: 400_000 }, (_, index) => `${String(index).padStart(7, '0')}\n`).join('');
    const file = join(device.directory, 'printed');
    writeFileSync(file, text);
    expect(await add(NOWHERE, 'run-1', '--error', file)).toMatchObject({ code: 75 });
    const { error } = JSON.parse(readFileSync(join(device.spool, device.kept()[0] ?? ''), 'utf8')) as { error: string };
    const leftOut = text.length - 49_152;
    const expected = `${text.slice(0, 24_576)}\n[... ${leftOut} bytes left out ...]\n${text.slice(-24_576)}`;
    expect(error === expected).toBe(true);
  });

  test('wrong use · ends with 64 · and says why', async () => {
    const unreadable = join(device.directory, 'ca.pem');
    writeFileSync(unreadable, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
    const wrong = [
      ['--ca-file', unreadable],
      ['--max-mb', '0'],
      ['--max-age-h', '0'],
      ['--tenant', 'Contoso'],
    ];
    for (const args of wrong) expect([args, (await add(NOWHERE, 'run-1', ...args)).code]).toEqual([args, 64]);
    expect(device.kept()).toEqual([]);
    for (const args of [['send'], ['-Action', 'Send', '-Nonsense', '1'], ['add', '--url']]) {
      expect(await session.run(args)).toEqual({ code: 64, said: expect.stringMatching(/./) as string });
    }
  });
});

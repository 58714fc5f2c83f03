// The sh agent's spool: what is kept, for how long, and what becomes of it with every answer.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  AGENT,
  createAgentDevice,
  isInstalled,
  ONE_SHELL,
  RUN,
  startAgentBridge,
  startStranger,
  type AgentBridge,
  type AgentDevice,
} from '../support/agent.ts';
import { until } from '../support/until.ts';

const NOWHERE = 'http://127.0.0.1:9';
const AT = '2026-11-20T10:00:00Z';

let bridge: AgentBridge;
let stranger: Awaited<ReturnType<typeof startStranger>>;
let device: AgentDevice;

beforeAll(async () => {
  bridge = await startAgentBridge();
  stranger = await startStranger((_request, response) => response.end());
});
afterAll(async () => {
  await stranger.close();
  await bridge.close();
});

const add = (url: string, runId: string, ...more: string[]) =>
  device.run([
    'add',
    ...device.options(url),
    ...RUN,
    '--exit-code',
    '0',
    '--run-id',
    runId,
    '--completed-at',
    AT,
    ...more,
  ]);
const send = (url: string, ...more: string[]) => device.run(['send', ...device.options(url), ...more]);
const runIds = async () => (await bridge.stored(device.deviceId)).map(({ runId }) => runId).sort();

/** Answers of others than the bridge: nothing of them may lose a result. */
const STRANGE: [string, number, Record<string, string>, string][] = [
  ['a portal that says 200', 200, { 'Content-Type': 'text/html' }, '<html>Sign in'],
  ['a proxy that says 403', 403, { 'Content-Type': 'text/html' }, '<html>Blocked'],
  ['a gateway that says 403 in JSON', 403, { 'Content-Type': 'application/json' }, '{"code":"blocked"}'],
  ['a wrong address', 404, { 'Content-Type': 'application/problem+json' }, '{"status":404,"code":"not-found"}'],
  ['a key that is not valid', 401, {}, '{"status":401,"code":"unauthenticated"}'],
  ['another run’s receipt', 202, {}, '{"deliveryId":"d1","runId":"run-10","status":"queued"}'],
];

describe('the agent', { timeout: 120_000 }, () => {
  beforeEach(() => {
    device = createAgentDevice(ONE_SHELL);
    device.replace('sleep', `echo "$1" >>'${join(device.directory, 'slept')}'`);
  });
  afterEach(() => device.close());

  test('results while offline · are kept for their owner alone · and sent as one batch after a random wait', async () => {
    for (const runId of ['run-1', 'run-2']) {
      expect(await add(NOWHERE, runId, '--no-wait')).toMatchObject({
        code: 75,
        stderr: expect.stringContaining('kept') as string,
      });
    }
    expect(device.kept().map((name) => name.replace(/^\d+-/, ''))).toEqual(['run-1.json', 'run-2.json']);
    const modes = [device.spool, ...device.kept().map((name) => join(device.spool, name))];
    expect(modes.map((path) => statSync(path).mode & 0o777)).toEqual([0o700, 0o600, 0o600]);
    const [notBefore = 0, backoffS] = readFileSync(join(device.spool, 'not-before'), 'utf8').split(' ').map(Number);
    // The second failure's: half as much again as the first's, which is 15 to 22 s.
    expect(backoffS).toSatisfy((seconds: number) => seconds >= 22 && seconds <= 33);
    expect(notBefore - Date.now() / 1000).toSatisfy((aheadS: number) => aheadS > 15 && aheadS <= 66);

    expect(await send(bridge.url)).toMatchObject({ code: 75 });
    writeFileSync(join(device.spool, 'not-before'), `1 60 agent\n`);
    expect(await send(bridge.url)).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(Number(readFileSync(join(device.directory, 'slept'), 'utf8'))).toBeLessThan(60);
    expect(await runIds()).toEqual(['run-1', 'run-2']);
    expect(readdirSync(device.spool)).toEqual(['refused']);
  });

  test('killed while it sends · leaves the result · and nothing that holds up the next', async () => {
    stranger.answer = () => undefined;
    const asked = stranger.asked;
    const { kill, ended } = device.start([
      'run',
      ...device.options(stranger.url),
      ...RUN,
      '--run-id',
      'run-1',
      '--',
      'true',
    ]);
    await until('the agent sends', () => stranger.asked > asked, 20_000);
    kill();
    await ended;
    expect(readdirSync(device.spool).filter((name) => /^(lock|work)\./.test(name))).toHaveLength(2);
    expect(await send(bridge.url)).toMatchObject({ code: 0 });
    expect(await runIds()).toEqual(['run-1']);
    expect(readdirSync(device.spool)).toEqual(['refused']);
  });

  test('files that a crash of the machine left empty, cut or run together · are set aside · and shift no answers', async () => {
    expect(await add(NOWHERE, 'run-1', '--completed-at', 'yesterday')).toMatchObject({ code: 75 });
    expect(await add(NOWHERE, 'run-2')).toMatchObject({ code: 75 });
    const [bad = '', good = ''] = device.kept();
    const line = readFileSync(join(device.spool, good), 'utf8');
    writeFileSync(join(device.spool, '1-empty.json'), '');
    writeFileSync(join(device.spool, '2-cut.json'), '{"runId":"cut","deviceId":"');
    writeFileSync(join(device.spool, '3-twice.json'), line.replaceAll('run-2', 'twice').repeat(2));
    writeFileSync(join(device.spool, '4-other.json'), line);
    expect(await send(bridge.url, '--no-wait')).toMatchObject({ code: 65 });
    expect(device.refused().sort()).toEqual(['1-empty.json', '2-cut.json', '3-twice.json', '4-other.json', bad].sort());
    expect(await runIds()).toEqual(['run-2']);
    expect(device.kept()).toEqual([]);
  });

  test('a directory that is called like a result · is no result', async () => {
    mkdirSync(join(device.spool, '1-run-1.json'), { recursive: true });
    expect(await send(bridge.url)).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  test.skipIf(process.getuid?.() !== 0 || !isInstalled('setpriv'))(
    'a result that another user left · is neither refused nor lost · and named (only root can make one)',
    async () => {
      expect(await add(NOWHERE, 'run-1', '--no-wait')).toMatchObject({ code: 75 });
      const agent = join(device.directory, 'agent.sh');
      copyFileSync(AGENT, agent);
      for (const path of [device.directory, agent]) chmodSync(path, 0o755);
      for (const path of [device.spool, join(device.spool, 'refused')]) chownSync(path, 65_534, 65_534);
      const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', ...ONE_SHELL, agent];
      const { status, stderr } = spawnSync('setpriv', [...nobody, 'send', ...device.options(bridge.url), '--no-wait']);
      expect({ status, stderr: String(stderr) }).toEqual({
        status: 75,
        stderr: expect.stringMatching(/cannot read .*run-1\.json/) as string,
      });
      expect([device.kept().length, device.refused()]).toEqual([1, []]);
    },
  );

  test('a result that is refused · is set aside · with the answer', async () => {
    // All in one second.
    const nowS = Math.floor(Date.now() / 1000);
    device.replace('date', `case "$*" in *+%s) echo ${nowS} ;; *) exec /bin/date "$@" ;; esac`);
    expect(await add(bridge.url, 'run-1')).toMatchObject({ code: 0 });
    // Sent again it is the same run; with other content it is refused.
    expect(await add(bridge.url, 'run-1')).toMatchObject({ code: 0 });
    expect(await add(bridge.url, 'run-1', '--completed-at', 'yesterday "or so"')).toMatchObject({ code: 65 });
    const [name = ''] = device.refused();
    const answer = readFileSync(join(device.spool, 'refused', `${name}.answer`), 'utf8');
    expect(JSON.parse(answer)).toMatchObject({ code: 'invalid-run-result', errors: [{ pointer: '/completedAt' }] });
    expect(await add(bridge.url, 'run-1', '--exit-code', '1')).toMatchObject({ code: 65 });
    expect({ kept: device.kept(), refused: device.refused().length }).toEqual({ kept: [], refused: 2 });
    expect(await runIds()).toEqual(['run-1']);
  });

  test('an answer that is not the bridge’s · loses nothing', async () => {
    for (const [name, status, headers, body] of STRANGE) {
      stranger.answer = (_request, response) => response.writeHead(status, headers).end(body);
      const asked = stranger.asked;
      const { code } = name.startsWith('a portal')
        ? await add(stranger.url, 'run-1', '--no-wait')
        : await send(stranger.url, '--no-wait');
      expect({ name, code, kept: device.kept().length, asked: stranger.asked - asked }).toEqual({
        name,
        code: 75,
        kept: 1,
        asked: 1,
      });
    }
  });

  test.each([
    ['seconds', () => '100'],
    ['a date', () => new Date(Date.now() + 100_000).toUTCString()],
  ])('Retry-After in %s · is obeyed · also with --no-wait', async (_form, retryAfter) => {
    stranger.answer = (_request, response) => response.writeHead(429, { 'Retry-After': retryAfter() }).end();
    const asked = stranger.asked;
    expect(await add(stranger.url, 'run-1', '--no-wait')).toMatchObject({ code: 75 });
    const [notBefore] = readFileSync(join(device.spool, 'not-before'), 'utf8').split(' ');
    expect(Number(notBefore) - Date.now() / 1000).toSatisfy((aheadS: number) => aheadS > 90 && aheadS < 105);
    expect(await send(stranger.url, '--no-wait')).toMatchObject({ code: 75 });
    expect(stranger.asked - asked).toBe(1);
  });

  test('a clock that is wrong by an hour · is corrected by the server’s', async () => {
    device.replace('date', `case "$*" in *+%s) echo $(($(/bin/date +%s) - 3600)) ;; *) exec /bin/date "$@" ;; esac`);
    expect(await add(bridge.url, 'run-1')).toMatchObject({ code: 0 });
    expect(await runIds()).toEqual(['run-1']);
  });

  test('another instance · is not disturbed · unless it is gone', async () => {
    mkdirSync(device.spool);
    const gone = 'lock.999999999.1.00000000';
    writeFileSync(join(device.spool, gone), '');
    writeFileSync(join(device.spool, `lock.${process.pid}.1.0`), '');
    expect(await add(bridge.url, 'run-1')).toMatchObject({ code: 0 });
    expect(readdirSync(device.spool)).toEqual(['refused']);
    stranger.answer = () => undefined;
    const asked = stranger.asked;
    const other = device.start([
      'add',
      ...device.options(stranger.url),
      ...RUN,
      '--state',
      'fail',
      '--run-id',
      'run-2',
    ]);
    await until('the other one sends', () => stranger.asked > asked, 20_000);
    expect(await add(bridge.url, 'run-3')).toMatchObject({ code: 75 });
    other.kill();
    await other.ended;
    expect(await send(bridge.url)).toMatchObject({ code: 0 });
    expect(await runIds()).toEqual(['run-1', 'run-2', 'run-3']);
  });

  test('a spool that is too old or too large · drops its oldest · and says so', async () => {
    mkdirSync(device.spool);
    const nowS = Math.floor(Date.now() / 1000);
    for (const [ageS, runId] of [
      [3 * 3600, 'old'],
      [600, 'large'],
      [500, 'next'],
    ] as const) {
      const output = 'x'.repeat(runId === 'large' ? 1_048_000 : 1000);
      writeFileSync(join(device.spool, `${nowS - ageS}-${runId}.json`), `${JSON.stringify({ runId, output })}\n`);
    }
    const { code, stderr } = await add(NOWHERE, 'new', '--max-age-h', '2', '--max-mb', '1', '--no-wait');
    expect(code).toBe(75);
    expect(
      stderr
        .match(/dropped \d+-\w+/g)
        ?.map((text) => text.replace(/.*-/, ''))
        .sort(),
    ).toEqual(['large', 'old']);
    expect(device.kept().map((name) => name.replace(/^\d+-/, ''))).toEqual(['next.json', 'new.json']);
  });
});

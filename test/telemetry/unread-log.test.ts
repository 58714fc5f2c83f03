// A log that nobody reads, on real pipes: the service goes on, drops and counts; whoever reads again is told; the end is not late.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts';
import { GROUP_KEY } from '../support/device.ts';
import { freePort } from '../support/free-port.ts';
import { jsonLines } from '../support/printed.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';
import { openUnreadPipe, type UnreadPipe } from '../support/unread-pipe.ts';
import { until } from '../support/until.ts';
import { INHERITED } from '../support/environment.ts';

type Started = { child: ChildProcess; port: number; ended: Promise<number | null> };

const PROCESSES = [
  ['the API', 'src/main.ts', 'PORT'],
  ['a worker', 'workers/main.ts', 'WORKER_PORT'],
] as const;
/** Each a line of the log at this level; a pipe and the buffer together hold fewer. */
const REQUESTS = 8000;

let redis: TestRedis;
let sandbox: Sandbox;
let pipe: UnreadPipe;
const started: Started[] = [];

beforeAll(async () => {
  redis = await startTestRedis();
  sandbox = await createSandbox();
});
afterAll(async () => {
  await sandbox.close();
  await redis.close();
});
beforeEach(() => {
  pipe = openUnreadPipe();
});
afterEach(async () => {
  for (const { child, ended } of started.splice(0)) {
    child.kill('SIGKILL');
    await ended;
  }
  pipe.close();
});

async function start(
  main: string,
  portName: string,
  output: number,
  env: Record<string, string> = {},
): Promise<Started> {
  const port = await freePort();
  const child = spawn(process.execPath, [main], {
    env: {
      ...INHERITED,
      ...sandbox.environment(),
      REDIS_URL: redis.url,
      DEVICE_GROUP_KEYS: GROUP_KEY,
      HOST: '127.0.0.1',
      [portName]: String(port),
      LOG_LEVEL: 'debug',
      ...env,
    },
    stdio: ['ignore', output, output],
  });
  const ended = once(child, 'exit').then(([code]) => code as number | null);
  const it = { child, port, ended };
  started.push(it);
  return it;
}

const ask = async (port: number, path: string) =>
  (await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(3000) })).text();
const lives = (port: number) =>
  ask(port, '/livez').then(
    (text) => text.includes('ok'),
    () => false,
  );
const droppedBy = async (port: number) =>
  Number(/^runstate_log_lines_dropped_total (\d+)$/m.exec(await ask(port, '/metrics'))?.[1]);

/** Sends many requests on one connection and waits for all answers. */
async function flood(port: number, requests: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  const request = `GET /livez HTTP/1.1\r\nHost: b\r\n\r\n`;
  let answers = 0;
  socket.on('data', (data) => (answers += data.toString('latin1').split('HTTP/1.1 200 OK').length - 1));
  for (let sent = 0; sent < requests; sent += 200) {
    socket.write(request.repeat(200));
    await until(`${sent + 200} answers, ${answers} came`, () => answers >= sent + 200, 10_000);
  }
  socket.destroy();
}

test.each(PROCESSES)(
  'nobody reads · %s goes on, drops and counts · and says how many when somebody reads again',
  async (_what, main, portName) => {
    const { child, port, ended } = await start(main, portName, pipe.writeEnd);
    await until('it lives', () => lives(port), 20_000);
    await flood(port, REQUESTS);
    const dropped = await droppedBy(port);
    expect(dropped).toBeGreaterThan(0);
    expect(await lives(port)).toBe(true);

    const text = pipe.read();
    const report = await until(
      'a line that tells of it',
      () => jsonLines(text()).find(({ msg }) => String(msg).startsWith('log lines were dropped')),
      10_000,
    );
    expect(report['lines']).toBeGreaterThanOrEqual(dropped);
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    await until('its last words', () => text().trim().endsWith('"msg":"stopped"}'));
    // Whole lines, and no others.
    for (const line of text().trim().split('\n')) expect(() => JSON.parse(line) as unknown).not.toThrow();
  },
  60_000,
);

// Both processes begin alike: what the API does here, a worker does.
describe('the API', () => {
  const startIt = (output: number) => start('src/main.ts', 'PORT', output);

  test('nobody ever reads · it ends as it should · and is not late', async () => {
    pipe.fill();
    const { child, port, ended } = await startIt(pipe.writeEnd);
    await until('it lives', () => lives(port), 20_000);
    const askedAt = Date.now();
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(Date.now() - askedAt).toBeLessThan(8000);
  }, 40_000);

  test.each(['a closed pipe', '/dev/full'])(
    '%s · it lives · and ends as it should',
    async (where) => {
      const output = where === '/dev/full' ? openSync(where, 'w') : pipe.writeEnd;
      const { child, port, ended } = await startIt(output);
      if (output === pipe.writeEnd) pipe.closeReader();
      await until('it lives', () => lives(port), 20_000);
      await flood(port, REQUESTS);
      expect(await droppedBy(port)).toBeGreaterThan(0);
      child.kill('SIGTERM');
      expect(await ended).toBe(0);
    },
    60_000,
  );
});

test.each(['full', 'closed'])(
  'a configuration with faults · into a pipe that is %s · ends with 78 all the same',
  async (how) => {
    if (how === 'full') pipe.fill();
    else pipe.closeReader();
    const { ended } = await start('src/main.ts', 'PORT', pipe.writeEnd, { LOG_LEVEL: 'chatty' });
    expect(await ended).toBe(78);
  },
  20_000,
);

describe('the end', () => {
  function run(statements: string) {
    const script = `
      import { takeOverOutput } from ${JSON.stringify(new URL('../../src/telemetry/output.ts', import.meta.url).href)};
      import { createLog } from ${JSON.stringify(new URL('../../src/telemetry/log.ts', import.meta.url).href)};
      const { stdout } = takeOverOutput();
      const log = createLog('worker', 'info', stdout);
      stdout.report({ dropped: () => undefined, resumed: (lines) => log.warn({ lines }, 'dropped') });
      ${statements}`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      stdio: ['ignore', pipe.writeEnd, pipe.writeEnd],
    });
    const ended = once(child, 'exit').then(([code]) => code as number | null);
    started.push({ child, port: 0, ended });
    return ended;
  }

  test('a reader that is slow · hears the last words · all that was buffered before them', async () => {
    pipe.fill();
    const ended = run(`
      for (let n = 0; n < 2000; n += 1) log.info({ n }, 'one of many');
      setTimeout(() => { log.fatal('the end'); process.exit(3); }, 200);`);
    const text = pipe.read();
    expect(await ended).toBe(3);
    await until('the last words', () => text().includes('"msg":"the end"'));
    const lines = jsonLines(text());
    expect(lines.map(({ n }) => n).filter((n) => n !== undefined)).toEqual(Array.from({ length: 2000 }, (_, n) => n));
    expect(lines.at(-1)).toMatchObject({ level: 'fatal' });
  });

  test('more than the buffer holds · the last words are kept · and what was dropped is reported', async () => {
    pipe.fill();
    const ended = run(`
      for (let n = 0; n < 20000; n += 1) log.info({ n, filler: 'x'.repeat(100) }, 'one of many');
      setTimeout(() => { log.fatal('the end'); process.exit(3); }, 300);`);
    const text = pipe.read();
    expect(await ended).toBe(3);
    await until('the last words', () => text().includes('"msg":"the end"'));
    const lines = jsonLines(text());
    const kept = lines.filter(({ msg }) => msg === 'one of many').length;
    expect(lines.find(({ msg }) => msg === 'dropped')).toMatchObject({ lines: 20_000 - kept });
    expect(kept).toBeLessThan(20_000);
  });

  test('a console · of a library, a hundred thousand times, read by nobody · does not wait', async () => {
    pipe.fill();
    const calls = ['error', 'log', 'warn'].map((name) => `console.${name}('x'.repeat(100));`).join(' ');
    expect(await run(`for (let n = 0; n < 33_000; n += 1) { ${calls} } process.exit(4);`)).toBe(4);
  }, 20_000);

  test('a defect · into a full pipe · ends the process', async () => {
    pipe.fill();
    expect(await run(`throw new Error('nobody hears');`)).toBe(1);
  }, 20_000);
});

test('a reader that is slower than the log for long · costs no more memory · than the buffer', async () => {
  const script = `
    import { openOutlet } from ${JSON.stringify(new URL('../../src/telemetry/output.ts', import.meta.url).href)};
    const outlet = openOutlet(1, { bufferBytes: 1_048_576 });
    const line = 'x'.repeat(1023) + '\\n';
    const writing = setInterval(() => { for (let n = 0; n < 32; n += 1) outlet.write(line); }, 1);
    process.on('message', () => {
      clearInterval(writing);
      gc();
      // What the collector found is freed by another thread, later.
      setTimeout(() => process.send(process.memoryUsage().arrayBuffers, () => process.exit()), 1000);
    });`;
  const child = spawn(process.execPath, ['--expose-gc', '--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  let readBytes = 0;
  child.stdout?.on('data', (bytes: Buffer) => {
    readBytes += bytes.length;
    child.stdout?.pause();
    setTimeout(() => child.stdout?.resume(), 5);
  });
  await until('much is read', () => readBytes > 24_000_000, 25_000);
  const heldBytes = once(child, 'message');
  child.send('how much?');
  expect((await heldBytes)[0]).toBeLessThan(8_000_000);
  child.kill();
}, 40_000);

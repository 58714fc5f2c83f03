// What the log prints and what it must never print: secrets, what a device wrote, the arguments of Redis commands.
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLog, describeError } from '../../src/telemetry/log.ts';
import { jsonLines } from '../support/printed.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';

/** What the log of a process of its own prints: stdout belongs to the process. */
function printedBy(statements: string, level = 'info') {
  const script = `
    import { createLog } from ${JSON.stringify(new URL('../../src/telemetry/log.ts', import.meta.url).href)};
    const log = createLog('worker', ${JSON.stringify(level)});
    ${statements}`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' });
  return { text: stdout, lines: jsonLines(stdout) };
}

describe('a line', () => {
  test('logged · is JSON on stdout · with level, process, time and message', () => {
    const { lines } = printedBy(`log.warn({ waitMs: 5 }, 'throttled'); log.debug('not at this level');`);
    expect(lines).toEqual([
      {
        level: 'warn',
        process: 'worker',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as string,
        waitMs: 5,
        msg: 'throttled',
      },
    ]);
  });

  test('longer than what a pipe takes in one piece · is shortened to it in its long texts · and says the rest', () => {
    const { text, lines } = printedBy(`
      const cause = new Error('c'.repeat(3000));
      log.error({ error: new Error('\\u{202e}'.repeat(3000), { cause }), requestId: 'r-1' }, 'it failed');
      log.info('short');`);
    const [long = '', short] = text.trimEnd().split('\n');
    expect(Buffer.byteLength(long)).toBeLessThan(4096);
    expect(lines[0]).toMatchObject({
      error: { name: 'Error', message: `${'\u{202e}'.repeat(256)}…`, cause: { message: `${'c'.repeat(256)}…` } },
      requestId: 'r-1',
      msg: 'it failed',
    });
    expect(short).toContain('"short"');
  });

  test('below the level · is not printed · silent prints nothing', () => {
    expect(printedBy(`log.fatal('x');`, 'silent').text).toBe('');
    expect(createLog('api', 'warn').isLevelEnabled('info')).toBe(false);
  });
});

test.each(['authorization', 'Authorization', 'token', 'secret', 'key', 'output', 'upn', 'signature'])(
  'a member that must not be printed · %s · is redacted, a level down too',
  (member) => {
    const { text, lines } = printedBy(
      `log.info({ ${member}: 'hush-hush', request: { ${member}: 'hush-hush', id: 1 } }, 'said');`,
    );
    expect(text).not.toContain('hush-hush');
    expect(lines[0]).toMatchObject({ [member]: '[redacted]', request: { [member]: '[redacted]', id: 1 } });
  },
);

test('a member that must not be printed · two levels down · is redacted there, not in what was logged', () => {
  const { text, lines } = printedBy(`
    const line = { request: { headers: { authorization: 'hush-hush', host: 'bridge' } } };
    log.info(line, 'said'); if (line.request.headers.authorization !== 'hush-hush') throw new Error('it was changed');`);
  expect(text).not.toContain('hush-hush');
  expect(lines).toMatchObject([{ request: { headers: { authorization: '[redacted]', host: 'bridge' } } }]);
});

describe('lines of one turn', () => {
  test('written together · are all printed · in order, whole and each with its time', () => {
    const { lines } = printedBy(`
      log.info({ n: 0 }, 'first');
      await new Promise((resolve) => setTimeout(resolve, 20));
      for (let n = 1; n < 2000; n += 1) log.info({ n, text: 'é'.repeat(50) }, 'one of many');`);
    expect(lines.map(({ n }) => n)).toEqual(Array.from({ length: 2000 }, (_, n) => n));
    const [first, second] = lines.map(({ time }) => Date.parse(String(time)));
    expect(second).toBeGreaterThan(first ?? Infinity);
  });

  test.each(['process.exit(3)', `throw new Error('a defect')`, `log.fatal('the end'); process.reallyExit(3)`])(
    'a process that ends in that turn · %s · has printed them all',
    (end) => {
      const { lines } = printedBy(`log.info({ n: 1 }, 'before'); log.info({ n: 2 }, 'before'); ${end};`);
      expect(lines.filter(({ msg }) => msg === 'before').map(({ n }) => n)).toEqual([1, 2]);
    },
  );
});

describe('an error', () => {
  test('with causes · is shown with the whole chain · code and stack of each', () => {
    const root = Object.assign(new TypeError('connect refused'), { code: 'ECONNREFUSED' });
    const error = new Error('could not deliver', { cause: new RangeError('fetch failed', { cause: root }) });
    expect(describeError(error)).toMatchObject({
      name: 'Error',
      message: 'could not deliver',
      stack: expect.stringContaining('log.test.ts') as string,
      cause: {
        name: 'RangeError',
        message: 'fetch failed',
        cause: { name: 'TypeError', message: 'connect refused', code: 'ECONNREFUSED' },
      },
    });
  });

  test('that is its own cause · is reported · and comes to an end', () => {
    const error = new Error('round');
    error.cause = error;
    expect(JSON.stringify(describeError(error)).match(/"message":"round"/g)).toHaveLength(6);
  });

  test('that is none · is logged by its type · never by its content', () => {
    expect(describeError('hush-hush')).toEqual({ name: 'NotAnError', message: 'string' });
    expect(describeError({ upn: 'hush-hush' })).toEqual({ name: 'NotAnError', message: 'object' });
    expect(describeError(null)).toEqual({ name: 'NotAnError', message: 'object' });
  });

  test.each([
    'log.error({ error }, "x")',
    'log.error({ err: error }, "x")',
    'log.error(error)',
    'log.error(error, "x")',
  ])('logged in any way · %s · shows only name, message, code, stack and cause', (statement) => {
    const { text, lines } = printedBy(`
        const request = { headers: { authorization: 'hush-hush' } };
        const error = Object.assign(new Error('it failed'), { code: 'E1', request, command: { args: ['hush-hush'] } });
        ${statement};`);
    expect(text).not.toContain('hush-hush');
    const logged = lines[0]?.['error'] ?? lines[0]?.['err'];
    expect(Object.keys(logged as object).sort()).toEqual(['code', 'message', 'name', 'stack']);
  });
});

describe('an error of Redis', () => {
  let redis: TestRedis;
  beforeAll(async () => {
    redis = await startTestRedis();
  });
  afterAll(() => redis.close());

  test('with a run result in its command · is reported · without the command', async () => {
    await redis.client.set('a', 'text');
    const error: unknown = await redis.client.hset('a', 'output', 'hush-hush').catch((thrown: unknown) => thrown);
    // The error does carry it; only then does leaving it out mean something.
    expect(JSON.stringify(error)).toContain('hush-hush');
    const described = describeError(new Error('the queue failed', { cause: error }));
    expect(JSON.stringify(described)).not.toContain('hush-hush');
    expect(described.cause).toMatchObject({
      name: 'ReplyError',
      message: expect.stringContaining('WRONGTYPE') as string,
    });
  });
});

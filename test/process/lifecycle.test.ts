// A process's end, on real child processes: ordered, within its grace period, and at once where someone insists.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { jsonLines } from '../support/printed.ts';

const fixture = fileURLToPath(new URL('../support/lifecycle-fixture.ts', import.meta.url));

/** Runs the fixture; `says` waits for a line with this message, `ended` for its exit code and everything it said. */
function run(manner: string, graceMs = 5000, drainMs = 0) {
  const child = spawn(process.execPath, [fixture, manner, `${graceMs}`, `${drainMs}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  const reader = createInterface(child.stdout);
  reader.on('line', (line) => lines.push(line));
  const exited = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  const messages = () => jsonLines(lines.join('\n')).map(({ msg }) => msg);
  return {
    signal: (name: NodeJS.Signals) => child.kill(name),
    says: async (message: string) => {
      while (!messages().includes(message)) {
        if (child.exitCode !== null) throw new Error(`ended without saying "${message}": ${lines.join('\n')}`);
        await Promise.race([once(reader, 'line'), exited]);
      }
    },
    ended: async () => {
      const [code, signal] = await exited;
      return { code, signal, messages: messages(), lines: jsonLines(lines.join('\n')) };
    },
  };
}

const ORDERLY = [
  'running',
  'stopping',
  'aborted',
  'closed third',
  'closing second',
  'closed second',
  'closed first',
  'stopped',
];

test.each(['SIGTERM', 'SIGINT'] as const)('%s · closes what was opened last first · exits 0', async (name) => {
  const process = run('orderly');
  await process.says('running');
  process.signal(name);
  const { code, messages, lines } = await process.ended();
  expect({ code, messages }).toEqual({ code: 0, messages: ORDERLY });
  expect(lines.find(({ msg }) => msg === 'stopping')).toMatchObject({ reason: name, level: 'info' });
});

test('a part that never closes · the grace period over · exits 1', async () => {
  const process = run('hangs', 100);
  await process.says('running');
  process.signal('SIGTERM');
  const { code, messages } = await process.ended();
  expect(code).toBe(1);
  expect(messages).toEqual([
    'running',
    'stopping',
    'aborted',
    'closed third',
    'closing second',
    'grace period over, forcing',
  ]);
});

test('a second signal · while closing · exits 1 at once', async () => {
  const process = run('hangs', 600_000);
  await process.says('running');
  process.signal('SIGTERM');
  await process.says('closing second');
  process.signal('SIGINT');
  const { code, messages } = await process.ended();
  expect({ code, last: messages.at(-1) }).toEqual({ code: 1, last: 'second signal, forcing' });
});

test('time to drain · lets all parts go on but those that take work by themselves · and then closes in order', async () => {
  const process = run('busy', 5000, 300);
  await process.says('running');
  const askedAt = performance.now();
  process.signal('SIGTERM');
  await process.says('closed fourth');
  await process.says('closed third');
  expect(performance.now() - askedAt).toBeGreaterThan(290);
  const { code, messages } = await process.ended();
  expect({ code, messages }).toEqual({ code: 0, messages: ORDERLY.toSpliced(3, 0, 'closed fourth') });
});

test('a second signal · while draining · exits 1 at once', async () => {
  const process = run('orderly', 600_000, 500_000);
  await process.says('running');
  process.signal('SIGTERM');
  await process.says('aborted');
  process.signal('SIGINT');
  const { code, messages } = await process.ended();
  expect({ code, last: messages.at(-1) }).toEqual({ code: 1, last: 'second signal, forcing' });
});

test('a defect · is no time to drain · but to close at once', async () => {
  const { code, messages } = await run('throws', 600_000, 500_000).ended();
  expect({ code, last: messages.at(-1) }).toEqual({ code: 1, last: 'stopped' });
});

test('a part that fails to close · is reported by name · and the others are closed all the same', async () => {
  const process = run('fails');
  await process.says('running');
  process.signal('SIGTERM');
  const { code, messages, lines } = await process.ended();
  expect({ code, messages }).toEqual({
    code: 0,
    messages: ORDERLY.filter((message) => message !== 'closed second').flatMap((message) =>
      message === 'closing second' ? [message, 'did not close cleanly'] : [message],
    ),
  });
  expect(lines.find(({ level }) => level === 'error')).toMatchObject({
    msg: 'did not close cleanly',
    part: 'second',
    error: { message: 'second would not close' },
  });
});

test.each([
  ['throws', 'defect: uncaught exception', 'nobody caught'],
  ['rejects', 'defect: unhandled rejection', 'nobody listened'],
])('a process that %s · closes in order · exits 1', async (manner, msg, message) => {
  const { code, messages, lines } = await run(manner).ended();
  expect(code).toBe(1);
  expect(messages).toEqual(expect.arrayContaining(ORDERLY.slice(1)));
  expect(lines.find(({ level }) => level === 'fatal')).toMatchObject({ msg, error: { message } });
});

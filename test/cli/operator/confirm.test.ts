// The question before something irreversible, on a terminal: whatever is not yes does nothing, and ends the command quietly.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { startServer } from '../../support/rubbish.ts';
import { INHERITED } from '../../support/environment.ts';

const hasScript = spawnSync('script', ['--version']).status === 0;
const OPERATOR_TOKEN = 'operators-of-the-test-of-confirmations';

/** Answers like a bridge with three dead letters. */
const startBridge = () =>
  startServer((_request, response) =>
    response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"matched":3,"replayed":0}'),
  );

/** Runs a command on a pseudo-terminal, and types when it asks. */
async function answer(url: string, keys: string) {
  const command = `${process.execPath} src/cli/main.ts replay --all --url ${url}`;
  const child = spawn('script', ['-qec', command, '/dev/null'], { env: { ...INHERITED, OPERATOR_TOKEN } });
  let screen = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (!screen.includes('[y/N]') && (screen + text).includes('[y/N]')) child.stdin.write(keys);
    screen += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, screen };
}

test.skipIf(!hasScript).each([
  ['Ctrl-C', '\u0003'],
  ['Ctrl-D', '\u0004'],
  ['no', 'n\r'],
  ['nothing', '\r'],
])('%s in place of an answer · does nothing · without a stack trace (needs script)', async (_what, keys) => {
  await using server = await startBridge();
  const { code, screen } = await answer(server.url, keys);
  expect(screen).toContain('nothing was done');
  expect(screen).not.toMatch(/\n {4}at /);
  expect(code).toBe(0);
  expect(server.requests).toHaveLength(1);
});

test.skipIf(!hasScript).each(['y\r', 'YES\r'])('%j · replays (needs script)', async (keys) => {
  await using server = await startBridge();
  const { code, screen } = await answer(server.url, keys);
  expect(screen).toContain('0 replayed.');
  expect(code).toBe(0);
  expect(server.requests).toHaveLength(2);
});

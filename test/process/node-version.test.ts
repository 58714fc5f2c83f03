// The processes on whatever Node a machine has: too old a one hands over, signals and exit codes come through, killing it kills both.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../support/until.ts';

let directory: string;
let program: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'runstate-runtime-'));
  program = join(directory, 'program.mjs');
  // A Node that says of itself it is old, until it is started by such a one.
  await writeFile(
    program,
    `if (!process.channel) Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.20.2' } });
const { onWantedNode } = await import(${JSON.stringify(pathToFileURL('src/process/node-version.ts').href)});
await onWantedNode(async () => {
  process.on('SIGTERM', () => process.exit(7));
  setInterval(() => undefined, 1000);
  console.log('loaded', process.pid);
});`,
  );
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function start() {
  const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (printed += chunk));
  const pid = await until(
    'the program is loaded',
    () => Number(/loaded (\d+)/.exec(printed)?.[1] ?? 0) || null,
    10_000,
  );
  return { child, pid };
}

const isAlive = (pid: number) => {
  try {
    // A zombie still takes signals; its state tells.
    return !execFileSync('ps', ['-o', 'stat=', '-p', String(pid)])
      .toString()
      .startsWith('Z');
  } catch {
    return false;
  }
};

test('on too old a Node · the one the set-up brought takes over · signal and exit code come through', async () => {
  const { child, pid } = await start();
  expect(pid).not.toBe(child.pid);
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  expect(await ended).toEqual([7, null]);
});

test('killed · takes the one that took over with it', async () => {
  const { child, pid } = await start();
  child.kill('SIGKILL');
  await until('both are gone', () => !isAlive(pid));
  expect(isAlive(pid)).toBe(false);
});

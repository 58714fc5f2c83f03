// What a command prints without end: head and tail of it are kept, the spool stays small, and the command's own end is what counts.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createAgentDevice, ONE_SHELL, RUN, SHELLS, type AgentDevice } from '../support/agent.ts';
import { until } from '../support/until.ts';

const NOWHERE = 'http://127.0.0.1:9';
const HALF = 24_576;

let device: AgentDevice;
afterEach(() => device.close());

const runArgs = (script: string, ...args: string[]) => {
  const options = [...device.options(NOWHERE), ...RUN, '--no-wait', '--quiet'];
  return ['run', ...options, '--', 'sh', '-c', script, 'sh', ...args];
};
const kept = () => {
  const [name = ''] = device.kept();
  return JSON.parse(readFileSync(join(device.spool, name), 'utf8')) as Record<string, unknown>;
};

/** `000000`, `000001`, …: any piece says where it is from. */
const numbered = (lines: number): string =>
  Array.from({ length: lines }, (_, index) => `${String(index).padStart(7, '0')}\n`).join('');
const shortened = (text: string, bytes = text.length): string =>
  `${text.slice(0, HALF)}\n[... ${bytes - 2 * HALF} bytes left out ...]\n${text.slice(-HALF)}`;

describe.each(SHELLS)('$shell', ({ command, isMissing }) => {
  describe.skipIf(isMissing)('the agent', { timeout: 120_000 }, () => {
    beforeEach(() => (device = createAgentDevice(command)));

    test('megabytes of output · keep beginning and end · and never fill the disk', async () => {
      const printed = join(device.directory, 'printed');
      const text = numbered(500_000);
      writeFileSync(printed, text);
      // The error says how large the spool is once all but what is in the pipe has been read.
      const script = 'cat "$1" && du -sk "$2" >&2 && exit 7';
      expect(await device.run(runArgs(script, printed, device.spool))).toMatchObject({ code: 75 });
      const { exitCode, output, error } = kept();
      expect({ exitCode, isAsExpected: output === shortened(text) }).toEqual({ exitCode: 7, isAsExpected: true });
      expect(parseInt(String(error), 10)).toBeLessThan(1200);
      expect(readdirSync(device.spool).filter((name) => name.startsWith('work.'))).toEqual([]);
    });
  });
});

describe('the agent', { timeout: 120_000 }, () => {
  beforeEach(() => (device = createAgentDevice(ONE_SHELL)));

  const IN_ODD_PIECES = 'dd if="$1" bs=1001 2>/dev/null; exec 3>&2; dd if="$1" bs=1001 2>/dev/null >&3';
  test.each([
    ['run', (file: string) => runArgs(IN_ODD_PIECES, file), ''],
    ['add', (file: string) => [...addArgs(), '--output', file], ''],
    ['add, from standard input', () => [...addArgs(), '--output', '-'], 'input'],
  ])('%s · megabytes of UTF-16 · stay text', async (_name, toArgs, given) => {
    const text = numbered(200_000);
    const printed = Buffer.from(`\uFEFF${text}`, 'utf16le');
    const file = join(device.directory, 'printed');
    writeFileSync(file, printed);
    const ran = await device.run(toArgs(file), given === 'input' ? { input: printed } : {});
    expect(ran).toMatchObject({ code: 75 });
    const { output, error = output } = kept();
    for (const kept of [output, error]) {
      const [head, leftOut, tail] = String(kept).split(/\n\[\.\.\. (\d+) bytes left out \.\.\.\]\n/);
      expect([head === text.slice(0, HALF), tail === text.slice(-HALF)]).toEqual([true, true]);
      // Of what was never converted, the bytes that were printed.
      expect(Number(leftOut)).toBeGreaterThan(text.length - 2 * HALF);
    }
  });
  const addArgs = () => ['add', ...device.options(NOWHERE), ...RUN, '--state', 'fail', '--no-wait', '--quiet'];

  test('a command that leaves something running · has ended all the same · and that goes on printing', async () => {
    const witness = join(device.directory, 'printed-later');
    const script =
      '{ while ls -d "$2"/work.* >"$1.list" 2>&1; do sleep 0.2; done; for n in 1 2 3 4 5 6 7 8; do echo late; sleep 0.1; done; : >"$1"; } & echo started; exit 4';
    expect(await device.run(runArgs(script, witness, device.spool))).toMatchObject({ code: 75 });
    expect(kept()).toMatchObject({ exitCode: 4, output: 'started\n' });
    await until('what is left running prints', () => existsSync(witness), 20_000);
  });

  test('a shutdown that ends the command · is kept · with how it ended', async () => {
    const ran = await device.run(runArgs('echo begun; kill -TERM 0; sleep 60'));
    expect(ran).toMatchObject({ code: 75 });
    expect(kept()).toMatchObject({ exitCode: 143, output: 'begun\n' });
  });

  test('killed while a command prints · keeps nothing of it · and leaves nothing', async () => {
    const { kill, ended } = device.start(runArgs('while :; do echo TPM; done'));
    const isPrinted = () =>
      readdirSync(device.spool, { recursive: true }).some((name) => /output\.head$/.test(String(name)));
    await until('it prints', () => existsSync(device.spool) && isPrinted(), 20_000);
    kill();
    await ended;
    expect(await device.run(['send', ...device.options(NOWHERE)])).toMatchObject({ code: 0 });
    expect(readdirSync(device.spool)).toEqual(['refused']);
  });
});

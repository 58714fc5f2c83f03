// Runs the command line as a process: arguments, its own environment, output and exit code.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { INHERITED } from './environment.ts';

export type Ran = { code: number | null; stdout: string; stderr: string };
export type Given = { env?: Record<string, string>; input?: string };

/** Starts a command; it gets nothing of the test's environment except the PATH. */
export function startCli(args: string[], { env = {}, input = '' }: Given = {}) {
  const child = spawn(process.execPath, ['src/cli/main.ts', ...args], { env: { ...INHERITED, ...env } });
  child.stdin.end(input);
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => void (stdout += chunk));
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => void (stderr += chunk));
  const ended = once(child, 'close').then(([code]): Ran => ({
    code: code as number | null,
    stdout,
    stderr,
  }));
  return {
    ended,
    stdout: () => stdout,
    stderr: () => stderr,
    signal: (signal: NodeJS.Signals) => void child.kill(signal),
  };
}

/** Runs a command to its end. */
export const runCli = (args: string[], given?: Given): Promise<Ran> => startCli(args, given).ended;

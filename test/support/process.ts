// The API in its own process: starts it, collects its log lines, stops it; without the test's environment.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { LogLine } from './app.ts';
import { INHERITED } from './environment.ts';
import { until } from './until.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export type TestProcess = {
  pid: number;
  lines: LogLine[];
  stdout: () => string;
  stderr: () => string;
  /** The first line with this message. */
  line: (msg: string) => Promise<LogLine>;
  signal: (signal: NodeJS.Signals) => void;
  /** Its exit code; null if a signal ended it. */
  ended: Promise<number | null>;
  close: () => Promise<void>;
};

export function startProcess(main: string, env: Record<string, string>, ...args: string[]): TestProcess {
  const child = spawn(process.execPath, [main, ...args], {
    cwd: ROOT,
    env: { ...INHERITED, NODE_OPTIONS: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: LogLine[] = [];
  let stdout = '';
  let stderr = '';
  let read = 0;
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk;
    const whole = stdout.lastIndexOf('\n') + 1;
    for (const line of stdout.slice(read, whole).split('\n').filter(Boolean)) lines.push(JSON.parse(line) as LogLine);
    read = Math.max(read, whole);
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => void (stderr += chunk));
  const ended = once(child, 'close').then(([code]) => code as number | null);
  return {
    pid: child.pid ?? 0,
    lines,
    stdout: () => stdout,
    stderr: () => stderr,
    line: (msg) =>
      until(
        `a log line “${msg}” on stdout, stderr being: ${stderr}`,
        () => lines.find((line) => line.msg === msg),
        20_000,
      ),
    signal: (signal) => void child.kill(signal),
    ended,
    close: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Starts the API on a free port. @returns the process, and where it listens */
export async function startApi(env: Record<string, string>): Promise<{ api: TestProcess; port: number; url: string }> {
  const api = startProcess('src/main.ts', { HOST: '127.0.0.1', PORT: '0', ...env });
  // Nobody could close one that never listens.
  const { port } = await api.line('listening').catch(async (error: unknown) => {
    await api.close();
    throw error;
  });
  return { api, port: Number(port), url: `http://127.0.0.1:${Number(port)}` };
}

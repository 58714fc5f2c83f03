// Starts a process of the demo: from source or build, with its log in a file and its port from the start line.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import pTimeout from 'p-timeout';

export type Child = {
  url: string;
  /** Rejects if the process exits before it is stopped. */
  failed: Promise<never>;
  stop: () => Promise<void>;
};

const START_WITHIN_MS = 60_000;

/** The root of this tree: the checkout, or dist/ of a build. */
const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');

type ChildSettings = {
  name: string;
  entry: string;
  env: NodeJS.ProcessEnv;
  /** Where its log is written. */
  directory: string;
};

/** Starts an entry such as `src/main` and resolves once it listens. */
export async function startChild({ name, entry, env, directory }: ChildSettings): Promise<Child> {
  const source = join(ROOT, `${entry}.ts`);
  const file = existsSync(source) ? source : join(ROOT, `${entry}.js`);
  // In its own process group, so that Ctrl-C reaches only the demo, which then closes everything in order.
  const child = spawn(process.execPath, [file], { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const log = createWriteStream(join(directory, `${name}.log`));
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  const killWithParent = () => void child.kill('SIGKILL');
  process.once('exit', killWithParent);
  let stopping = false;

  const failed = once(child, 'exit').then(([code]) => {
    if (stopping) return new Promise<never>(() => undefined);
    throw new Error(`the ${name} process ended with ${String(code)}; its log is ${join(directory, `${name}.log`)}`);
  });
  failed.catch(() => undefined);

  const port = await pTimeout(Promise.race([readPort(child.stdout), failed]), { milliseconds: START_WITHIN_MS });
  return {
    url: `http://127.0.0.1:${port}`,
    failed,
    stop: async () => {
      stopping = true;
      process.off('exit', killWithParent);
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
    },
  };
}

async function readPort(stdout: NodeJS.ReadableStream): Promise<number> {
  for await (const line of createInterface({ input: stdout })) {
    const { port } = parseLine(line);
    if (port !== undefined) return port;
  }
  throw new Error('no start line');
}

function parseLine(line: string): { port?: number } {
  try {
    return JSON.parse(line) as { port?: number };
  } catch {
    return {};
  }
}

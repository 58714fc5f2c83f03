// The service's processes under the campaign's hand: started, killed, asked to stop, paused, started again.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import pTimeout from 'p-timeout';

const ROOT = join(import.meta.dirname, '../..');
const START_WITHIN_MS = 60_000;
/** Beyond the grace period a process is given, so that only one that hangs meets it. */
const STOP_WITHIN_MS = 15_000;

export type Supervised = {
  /** Starts it unless it runs; resolves with its port once it listens. */
  start: () => Promise<number>;
  signal: (signal: NodeJS.Signals) => void;
  /** Kills or asks to stop, and resolves when it is gone. */
  end: (signal: 'SIGKILL' | 'SIGTERM') => Promise<void>;
  /** Resolves once a process that runs listens. */
  untilListens: () => Promise<unknown>;
  /** What it did that nobody asked for. */
  surprises: string[];
};

type ProcessSettings = {
  name: string;
  entry: string;
  /** Keeps the port of the first start for every later one. */
  portVariable: 'PORT' | 'WORKER_PORT';
  env: NodeJS.ProcessEnv;
  directory: string;
};

export function supervise({ name, entry, portVariable, env, directory }: ProcessSettings): Supervised {
  const log = createWriteStream(join(directory, `${name}.log`), { flags: 'a' });
  const surprises: string[] = [];
  const toldToEnd = new WeakSet<ChildProcess>();
  let child: ChildProcess | null = null;
  let listening: Promise<number> = Promise.resolve(0);
  let port = 0;

  function start(): Promise<number> {
    if (child) return listening;
    const started = spawn(process.execPath, [join(ROOT, entry)], {
      env: { ...env, [portVariable]: String(port) },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child = started;
    const killWithCampaign = () => void started.kill('SIGKILL');
    process.once('exit', killWithCampaign);
    const portKnown = Promise.withResolvers<number>();
    let read = '';
    started.stdout.on('data', (bytes: Buffer) => {
      log.write(bytes);
      if (read === 'done') return;
      read += bytes.toString();
      const match = /"port":(\d+)/.exec(read);
      if (!match) return;
      read = 'done';
      port = Number(match[1]);
      portKnown.resolve(port);
    });
    started.stderr.on('data', (bytes: Buffer) => log.write(bytes));
    started.once('exit', (code, signal) => {
      process.off('exit', killWithCampaign);
      if (child === started) child = null;
      if (!toldToEnd.has(started)) surprises.push(`${name} ended by itself: ${String(code ?? signal)}`);
      portKnown.resolve(0);
    });
    return (listening = pTimeout(portKnown.promise, { milliseconds: START_WITHIN_MS }));
  }

  return {
    start,
    surprises,
    signal: (signal) => void child?.kill(signal),
    untilListens: () => (child ? listening : Promise.resolve()),
    end: async (signal) => {
      if (!child) return;
      const ending = child;
      toldToEnd.add(ending);
      const gone = once(ending, 'exit');
      ending.kill(signal);
      await pTimeout(gone, { milliseconds: STOP_WITHIN_MS }).catch(async () => {
        surprises.push(`${name} did not end within ${STOP_WITHIN_MS} ms of ${signal}`);
        ending.kill('SIGKILL');
        await gone;
      });
    },
  };
}

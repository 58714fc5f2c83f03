// Runs the API in one process or, with API_PROCESSES, in several that share its port: started again if one ends by itself.
import cluster, { type Worker } from 'node:cluster';
import { setTimeout as delay } from 'node:timers/promises';
import { EXIT_CONFIG, type Config } from '../config/config.ts';
import { createLog, type Logger } from '../telemetry/log.ts';
import { takeOverOutput } from '../telemetry/output.ts';
import { readConfiguration } from './configuration.ts';
import { connectSiblings } from './siblings.ts';
import { runProcess, type Open } from './start.ts';

/** One that ends sooner than this after its start is started again more slowly each time. */
const STEADY_AFTER_MS = 10_000;
const AGAIN_AFTER_MS = { first: 500, longest: 30_000 };
const STOPPED_BY = ['SIGTERM', 'SIGINT'] as const;
const PASSED_ON = ['SIGUSR2', 'SIGHUP'] as const;

/** @param load what a process opens; the one that only starts others does not load it */
export async function runApi(load: () => Promise<Open>): Promise<void> {
  if (cluster.isPrimary) {
    // Faults are reported by the process that would serve.
    const { config } = await readConfiguration(process.env, 'api');
    if (config && config.http.processes > 1) {
      startAll(config);
      return;
    }
  }
  await runProcess('api', await load());
}

function startAll({ http: { processes }, logLevel }: Config): void {
  const { stdout } = takeOverOutput();
  const log = createLog('api', logLevel, stdout);
  const supervised = new Set<Worker>();
  let isStopping = false;
  let exitCode = 0;

  const passOn = (signal: NodeJS.Signals) => {
    for (const worker of supervised) worker.process.kill(signal);
  };
  const stop = (signal: NodeJS.Signals) => {
    isStopping = true;
    passOn(signal);
    if (supervised.size === 0) process.exit(exitCode);
  };

  function start(afterMs: number): void {
    const startedAt = performance.now();
    const worker = cluster.fork();
    supervised.add(worker);
    // Its end is what counts, and is told by another event.
    worker.on('error', () => undefined);
    worker.once('exit', (code: number | null, signal: string | null) => {
      supervised.delete(worker);
      if (code === EXIT_CONFIG && !isStopping) {
        exitCode = EXIT_CONFIG;
        stop('SIGTERM');
      }
      if (isStopping) {
        exitCode ||= code ?? 1;
        if (supervised.size === 0) process.exit(exitCode);
        return;
      }
      const wasSteady = performance.now() - startedAt >= STEADY_AFTER_MS;
      void startAgain(wasSteady ? AGAIN_AFTER_MS.first : afterMs, { code, signal });
    });
  }

  async function startAgain(afterMs: number, ended: Ended): Promise<void> {
    reportEnd(log, ended, afterMs);
    await delay(afterMs);
    if (!isStopping) start(Math.min(2 * afterMs, AGAIN_AFTER_MS.longest));
  }

  // Each takes connections from the port itself: one that was handed to a process which just died would hang.
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  connectSiblings(() => [...supervised]);
  for (const signal of STOPPED_BY) process.on(signal, () => stop(signal));
  for (const signal of PASSED_ON) process.on(signal, () => passOn(signal));
  log.info({ processes }, 'starting API processes');
  for (let count = 0; count < processes; count += 1) start(AGAIN_AFTER_MS.first);
}

type Ended = { code: number | null; signal: string | null };

function reportEnd(log: Logger, ended: Ended, againAfterMs: number): void {
  log.error({ ...ended, againAfterMs }, 'an API process ended by itself; another one is started');
}

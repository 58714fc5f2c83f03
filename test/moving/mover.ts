// The operator who moves: runs the command, has it killed at random moments, and runs it again until it says that it is done.
import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../../src/sandbox/random.ts';
import { startCli, type Ran } from '../support/cli.ts';
import { ATTEMPT_TIMEOUT_MS } from './service.ts';

export type MoverOptions = {
  from: string;
  to: string;
  /** How often it is killed. */
  kills: number;
  random: Random;
};

/** EX_TEMPFAIL: the same command goes on. */
const LATER = 75;
const RUNS_AT_MOST = 60;
const AGAIN_AFTER_MS = 500;
/** From the first line of its output, since a busy machine takes seconds to start it. */
const KILLED_WITHIN_MS = 900;

const start = ({ from, to }: Pick<MoverOptions, 'from' | 'to'>, ...more: string[]) =>
  startCli(['move', '--yes', '--from', from, '--to', to, ...more], { env: { ATTEMPT_TIMEOUT_MS } });

export const prepare = (options: Pick<MoverOptions, 'from' | 'to'>): Promise<Ran> => start(options, '--prepare').ended;

export type Moves = { killed: number; runs: number; last: Ran };

export async function moveWithKills(options: MoverOptions): Promise<Moves> {
  const { kills, random } = options;
  let killed = 0;
  for (let runs = 1; runs <= RUNS_AT_MOST; runs += 1) {
    const running = start(options);
    if (killed < kills) {
      const isKilled = await killAtRandom(running, random() * KILLED_WITHIN_MS);
      if (isKilled) {
        killed += 1;
        continue;
      }
    }
    const last = await running.ended;
    if (last.code !== LATER) return { killed, runs, last };
    await delay(AGAIN_AFTER_MS);
  }
  throw new Error('the move did not come to an end');
}

/** @returns whether it was still running */
async function killAtRandom(running: ReturnType<typeof startCli>, afterMs: number): Promise<boolean> {
  const ended = running.ended.then(() => 'ended' as const);
  let state: 'ended' | 'running' = 'running';
  while (state === 'running' && !running.stderr().includes('\n'))
    state = await Promise.race([ended, delay(10, 'running' as const)]);
  await Promise.race([ended, delay(afterMs)]);
  running.signal('SIGKILL');
  return (await running.ended).code === null;
}

// The operator who moves: runs the command, has it killed at random moments, gives it up at times, and runs it again until it says that it is done.
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
/** The move cannot be cancelled any more. */
const REFUSED = 65;
const RUNS_AT_MOST = 60;
const AGAIN_AFTER_MS = 500;
/** It says a line for each step: a kill is so many steps after its start, whatever they take on this machine, and a little while. */
const STEPS = 5;
const KILLED_WITHIN_MS = 100;

const start = ({ from, to }: Pick<MoverOptions, 'from' | 'to'>, ...more: string[]) =>
  startCli(['move', '--yes', '--from', from, '--to', to, ...more], { env: { ATTEMPT_TIMEOUT_MS } });

export const prepare = (options: Pick<MoverOptions, 'from' | 'to'>): Promise<Ran> => start(options, '--prepare').ended;

export type Moves = { killed: number; cancelled: number; runs: number; last: Ran };

export async function moveWithKills(options: MoverOptions): Promise<Moves> {
  const { kills, random } = options;
  let killed = 0;
  let cancelled = 0;
  for (let runs = 1; runs <= RUNS_AT_MOST; runs += 1) {
    const running = start(options);
    if (killed < kills) {
      const isKilled = await killAtRandom(running, random);
      if (isKilled) {
        killed += 1;
        if (random() < 0.5 && (await giveUp(options))) cancelled += 1;
        continue;
      }
    }
    const last = await running.ended;
    if (last.code !== LATER) return { killed, cancelled, runs, last };
    await delay(AGAIN_AFTER_MS);
  }
  throw new Error('the move did not come to an end');
}

/** In half of the cases first as if the target were gone, so that its copy is left there. @returns whether a move was under way */
async function giveUp({ from, to, random }: MoverOptions): Promise<boolean> {
  const first = random() < 0.5 ? await cancel({ from }) : null;
  const second = await cancel({ from, to });
  return [first, second].some((ran) => ran?.stdout.includes(': cancelled: ') === true);
}

async function cancel({ from, to }: { from: string; to?: string }): Promise<Ran> {
  const target = to === undefined ? [] : ['--to', to];
  for (let runs = 1; runs <= RUNS_AT_MOST; runs += 1) {
    const ran = await startCli(['move', '--yes', '--cancel', '--from', from, ...target]).ended;
    if (ran.code === 0 || ran.code === REFUSED) return ran;
    if (ran.code !== LATER) throw new Error(`the cancellation ended with ${String(ran.code)}: ${ran.stderr}`);
    await delay(AGAIN_AFTER_MS);
  }
  throw new Error('the cancellation did not come to an end');
}

/** @returns whether it was still running */
async function killAtRandom(running: ReturnType<typeof startCli>, random: Random): Promise<boolean> {
  const [steps, afterMs] = [Math.floor(random() * STEPS), random() * KILLED_WITHIN_MS];
  const ended = running.ended.then(() => 'ended' as const);
  let state: 'ended' | 'running' = 'running';
  while (state === 'running' && running.stderr().split('\n').length <= steps)
    state = await Promise.race([ended, delay(5, 'running' as const)]);
  await Promise.race([ended, delay(afterMs)]);
  running.signal('SIGKILL');
  return (await running.ended).code === null;
}

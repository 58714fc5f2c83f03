// One simulated agent through an outage, in simulated time, by the rules that real ones follow.
import { decideNotBefore, decideTurn, NO_FAILURE } from '../../src/device/sending/wait.ts';
import { findBeyond, takeBatch, type KeptFile } from '../../src/device/spool/kept-files.ts';

/** Called by a timer, as report-run.sh is, or a process that stays, as one that calls sendAll. */
export type Kind = 'timer' | 'stays';

export type Outage = {
  lastsS: number;
  /** Every agent has a result within so many seconds of its beginning. */
  firstWithinS: number;
  /** And another each time so many seconds have passed. */
  nextEveryS: number;
};

/** As docs/agents.md sets up its timer: 15 minutes after the last run, and up to 5 at random. It began long before the outage. */
const TIMER_S = 900;
const TIMER_RANDOM_S = 300;
/** What a result takes in the spool. */
const BYTES = 1500;
const BOUNDS = { maxAgeH: 720, maxMb: 50 };

export type Return = {
  /** When it reached the door, in seconds since the door opened. */
  afterS: number;
  made: number;
  stored: number;
};

/** @returns its first arrival after the outage, and what became of its results */
export function playAgent(kind: Kind, outage: Outage, random: () => number): Return {
  const firstS = random() * outage.firstWithinS;
  let nowS = firstS;
  let notBefore = NO_FAILURE;
  let timerS = firstS + random() * (TIMER_S + random() * TIMER_RANDOM_S);
  for (;;) {
    const turn = decideTurn(notBefore, { nowS, waits: true, random });
    if (turn.kind === 'now') {
      // Starting a process and a connection takes a moment, and not the same everywhere.
      nowS += turn.afterS + random();
      if (nowS >= outage.lastsS) break;
      notBefore = decideNotBefore({ nowS, lastBackoffS: notBefore.backoffS, retryAfterS: undefined, random });
    }
    while (timerS <= nowS) timerS += TIMER_S + random() * TIMER_RANDOM_S;
    nowS = kind === 'stays' ? Math.max(nowS, notBefore.atS) : timerS;
  }
  return { afterS: nowS - outage.lastsS, ...send(outage, firstS, nowS) };
}

function send({ nextEveryS }: Outage, firstS: number, nowS: number): Pick<Return, 'made' | 'stored'> {
  const made = 1 + Math.floor((nowS - firstS) / nextEveryS);
  // The orders of a spool are seconds since 1970.
  const order = (index: number) => 1_764_200_000 + firstS + index * nextEveryS;
  const kept = Array.from({ length: made }, (_, index): KeptFile => {
    const runId = `run-${index}`;
    return { name: `${order(index)}-${runId}.json`, runId, order: order(index), bytes: BYTES };
  });
  let waiting = kept.slice(findBeyond(kept, BOUNDS, 1_764_200_000 + nowS).length);
  let stored = 0;
  while (waiting.length > 0) {
    const batch = takeBatch(waiting);
    stored += batch.length;
    waiting = waiting.slice(batch.length);
  }
  return { made, stored };
}

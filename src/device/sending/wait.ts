// When a device sends again: how long after a failure, and at what moment of its turn. The agents keep the same rules.

const FIRST_BACKOFF_S = 15;
/** So much at random on top of the first one, or the retries of a whole fleet would stay in step. */
const FIRST_JITTER_S = 8;
const LONGEST_BACKOFF_S = 900;
/** A time further ahead comes from a wrong clock, or from a proxy that is not well. */
export const LONGEST_WAIT_S = 86_400;

/** Nothing is sent before this instant. */
export type NotBefore = {
  atS: number;
  /** The backoff of the latest failure; 0 if there was none since the last success. */
  backoffS: number;
  chosenBy: 'agent' | 'server';
};

export const NO_FAILURE: NotBefore = { atS: 0, backoffS: 0, chosenBy: 'agent' };

/** Half as long again as the one before, up to the longest. @param lastS 0 for the first */
export function toBackoffS(lastS: number, random: () => number): number {
  if (lastS === 0) return FIRST_BACKOFF_S + Math.floor(random() * FIRST_JITTER_S);
  return Math.min(LONGEST_BACKOFF_S, Math.max(FIRST_BACKOFF_S, Math.floor(lastS * 1.5)));
}

export type Failure = {
  nowS: number;
  /** The backoff of the failure before; 0 if there was none since the last success. */
  lastBackoffS: number;
  /** What the server asked for. */
  retryAfterS: number | undefined;
  /** A number in [0, 1). */
  random: () => number;
};

/** The jitter comes on top of the backoff, so that the longest one has it too. */
export function decideNotBefore({ nowS, lastBackoffS, retryAfterS, random }: Failure): NotBefore {
  const backoffS = toBackoffS(lastBackoffS, random);
  const waitS = retryAfterS ?? backoffS + Math.floor(random() * backoffS);
  return {
    atS: Math.floor(nowS) + Math.min(LONGEST_WAIT_S, waitS),
    backoffS,
    chosenBy: retryAfterS === undefined ? 'agent' : 'server',
  };
}

export type Turn = { kind: 'not-yet'; aheadS: number } | { kind: 'now'; afterS: number };

/**
 * The first send after failures waits at random once more, so that a fleet does not come back all at once.
 * @param waits false sends at once, also after failures; what the server asked for is obeyed all the same
 */
export function decideTurn(
  { atS, backoffS, chosenBy }: NotBefore,
  { nowS, waits, random }: { nowS: number; waits: boolean; random: () => number },
): Turn {
  const aheadS = atS - nowS;
  const isAhead = aheadS > 0 && aheadS <= LONGEST_WAIT_S;
  if (isAhead && (waits || chosenBy === 'server')) return { kind: 'not-yet', aheadS };
  return { kind: 'now', afterS: waits ? Math.floor(random() * Math.min(LONGEST_BACKOFF_S, backoffS)) : 0 };
}

// When the waiting list of a tenant is looked after: often while it has open deliveries, rarely while it has none.

export type Rounds = {
  /** There is something to do: rounds are frequent from now on. */
  wake: () => void;
  close: () => void;
};

export type RoundParts = {
  countOpen: () => Promise<number>;
  promote: () => Promise<void>;
  /** Gives jobs to promoted deliveries that lost theirs. */
  sweep: () => Promise<void>;
  /** Removes what is about deliveries that are gone; also while nothing is open. */
  tidy: () => Promise<void>;
  /** 0 ≤ random < 1. */
  random: () => number;
};

/** Promotion runs with every permit; this interval covers what a worker that went away did not promote. */
const PROMOTE_EVERY_MS = 500;
const PROMOTIONS_PER_SWEEP = 10;
/** While nothing is open, a job wakes it: a look only finds what a process that died gave no job. */
const LOOK_EVERY_MS = PROMOTE_EVERY_MS * PROMOTIONS_PER_SWEEP;

/** Never throws: the parts report their own trouble. */
export function startRounds({ countOpen, promote, sweep, tidy, random }: RoundParts): Rounds {
  let isOpen = false;
  let promotions = 0;
  let wakes = 0;
  let isRunning = false;
  let isClosed = false;
  let next: NodeJS.Timeout | undefined;

  function schedule(): void {
    clearTimeout(next);
    if (!isClosed) next = setTimeout(() => void run(), isOpen ? PROMOTE_EVERY_MS : LOOK_EVERY_MS);
  }

  async function run(): Promise<void> {
    isRunning = true;
    if (promotions === 0) {
      const wakesBefore = wakes;
      isOpen = (await countOpen()) > 0 || wakes > wakesBefore;
      if (isOpen) await sweep();
      await tidy();
    }
    if (isOpen) await promote();
    promotions = isOpen ? (promotions + 1) % PROMOTIONS_PER_SWEEP : 0;
    isRunning = false;
    schedule();
  }

  // Many tenants that are opened together do not look together.
  next = setTimeout(() => void run(), random() * PROMOTE_EVERY_MS);

  return {
    wake: () => {
      wakes += 1;
      if (isOpen) return;
      isOpen = true;
      promotions = 1;
      if (!isRunning) schedule();
    },
    close: () => {
      isClosed = true;
      clearTimeout(next);
    },
  };
}

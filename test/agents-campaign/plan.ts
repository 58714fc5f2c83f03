// What happens to one device in a run of the campaign, step by step; a function of the seed.
import { createRandom, pick, wholeNumber, type Random } from '../../src/sandbox/random.ts';

/** What stands between the device and the bridge. */
const WAYS = [
  'open',
  'refused',
  'stalled',
  'answer-lost',
  'answer-halved',
  'portal',
  'proxy-403',
  'gateway-403',
  'foreign-receipt',
  'throttled',
  'overloaded',
  'unavailable',
] as const;
export type Way = (typeof WAYS)[number];

export type Invocation = {
  action: 'run' | 'add' | 'send';
  /** Unique over all runs; null for `send`. */
  runId: string | null;
  /** How long its command takes. */
  commandMs: number;
  /** The bridge can never take it. */
  isPoison: boolean;
  isQuiet: boolean;
  waits: boolean;
  /** When its process group is killed; null if it is not. */
  killAfterMs: number | null;
};

export type Step = {
  way: Way;
  /** The device's clock, against the real one. */
  clockAheadS: number;
  /** Blocks that are free on the disk; null if there is room. */
  freeBlocks: number | null;
  /** At the same time. */
  invocations: Invocation[];
};

export type Plan = { seed: number; steps: Step[] };

const DAY_S = 86_400;
const SHARES = { open: 0.4, skewed: 0.4, full: 0.12, killed: 0.45, together: 0.2, poison: 0.06 };

export function createPlan(seed: number, steps: number): Plan {
  const random = createRandom(seed);
  let runs = 0;
  const nextRunId = () => `s${seed}-${++runs}`;
  return { seed, steps: Array.from({ length: steps }, () => planStep(random, nextRunId)) };
}

function planStep(random: Random, nextRunId: () => string): Step {
  return {
    way: random() < SHARES.open ? 'open' : pick(random, WAYS),
    clockAheadS: random() < SHARES.skewed ? planSkew(random) : 0,
    freeBlocks: random() < SHARES.full ? wholeNumber(random, 0, 6) : null,
    invocations: Array.from({ length: random() < SHARES.together ? wholeNumber(random, 2, 3) : 1 }, () =>
      planInvocation(random, nextRunId),
    ),
  };
}

/** Up to nine days to either side: results are older than thirty at no clock of a run. */
const planSkew = (random: Random): number =>
  pick(random, [1, -1]) * (random() < 0.3 ? wholeNumber(random, 1, 400) : wholeNumber(random, 400, 9 * DAY_S));

function planInvocation(random: Random, nextRunId: () => string): Invocation {
  const action = pick<Invocation['action']>(random, ['run', 'run', 'add', 'send']);
  return {
    action,
    runId: action === 'send' ? null : nextRunId(),
    commandMs: random() < 0.3 ? wholeNumber(random, 50, 400) : 0,
    isPoison: action === 'add' && random() < SHARES.poison,
    isQuiet: random() < 0.7,
    waits: random() < 0.3,
    killAfterMs: random() < SHARES.killed ? wholeNumber(random, 0, 1500) : null,
  };
}

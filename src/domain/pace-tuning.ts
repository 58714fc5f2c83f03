// The numbers behind the learned pace, each with its reason; the pace in Redis is built from the same ones.

/** The span Graph's write limit is given for. Rates count per window; refusals within one are one episode. */
export const WINDOW_MS = 20_000;
/** Slots are counted in halves of a window, so that evidence is 1 to 1.5 windows old: older lags behind a steep probe. */
export const COUNT_MS = 10_000;

/** After an episode: just under the measured rate; requests jitter on their way, and a window may catch one too many. */
export const FALL_TO = 0.99;
/** One refusal leaves at least this much of the pace: a measurement may be wrong, but a probe may have doubled the pace. */
export const LARGEST_FALL_TO = 0.45;
/** A ceiling and a new measurement this close are two measurements of one limit: one or two writes of a window. */
export const AGREES_WITHIN = 0.03;
/** Measured this far from the ceiling, the limit has moved; less may be a fixed window's edge, and hurrying there costs. */
export const MOVED_BY = 0.08;

/** Back at the ceiling after this long: sooner, episodes cost too much; later, a limit that rises is found too late. */
export const RETURN_MS = 90_000;
/** Each episode that finds the limit where it was puts the next off by this much, up to the longest; an hour doubles it. */
export const RETURN_GROWTH = 1.03;
export const LONGEST_RETURN_MS = 180_000;
/** Where the limit has moved, the new measurement is rough: probe soon. */
export const RETURN_AFTER_MOVE_MS = 20_000;

/** Beyond the ceiling: 4 % after 20 s – too little to overshoot within one window –, and twice the ceiling after 58 s. */
export const PROBE_STEP = 0.04;
export const PROBE_MS = 20_000;

/** Retry-After is rounded up to whole seconds: the window may have ended this much earlier. */
export const ROUNDED_UP_MS = 1000;
/** The next measurement sees this end of a wait, so that a bucket's waits of a second, close together, bring it down. */
export const SEEN_OF_WAIT_MS = 300;
/**
 * The present pace fills what a measurement lacks of this. Refused again soon after an episode, it is mostly the same
 * window still being full, and the short time between holds a handful of writes and a wait.
 */
export const SHORTEST_MEASURE_MS = 15_000;

/** A slot taken this late is not lost, the next ones make up for it: timers and Redis are not exact. */
export const LATENESS_MS = 250;
/** Each lost slot asks for so many used ones: under nine tenths of use the pace does not grow. */
export const USED_PER_LOST = 10;

/** Nothing sent for this long: what was probed but not refused becomes the ceiling, and forgetting begins. */
export const REST_MS = 60_000;
/** Half of what was learned (in proportion to the start) is forgotten after this much rest: a night keeps half. */
export const FORGET_HALF_LIFE_MS = 12 * 3_600_000;

/** Probing ends at this multiple of the start, if not before. */
export const MOST_TIMES_START = 10;
/** The pace never dies: one write per window. */
export const LEAST_PER_20S = 1;

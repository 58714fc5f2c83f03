// The numbers behind the learned pace, each with its reason; the pace in Redis is built from the same ones.

/** Rates count per window; refusals within one are one episode. */
export { WINDOW_MS } from './per-window.ts';
/** Slots are counted in halves of a window, so that evidence is 1 to 1.5 windows old: older lags behind a steep probe. */
export const COUNTS_PER_WINDOW = 2;
/** Graph may count in longer windows than it says; nothing is learned of longer ones than this. */
export const LONGEST_WINDOW_MS = 60_000;
/** Nobody probes beyond twice the limit for long: what was full for so long is at most half of its window. */
export const WINDOW_PER_FULL = 2;
/** Told to wait longer than this is a penalty. */
export const LONGEST_FULL_MS = LONGEST_WINDOW_MS / WINDOW_PER_FULL;
/** Refused again at the first or second try: Graph was full all the time in between. Noise does that once in a hundred. */
export const STILL_FULL_WRITES = 2;
/** Two spans from one full window's end to the next that took this nearly the same are windows; probes differ by more. */
export const SPANS_AGREE_WITHIN = 0.05;
/** The longest span that can be one window, with an end that was found a quarter too late; a memory lasts half longer. */
export const LONGEST_SPAN_MS = 75_000;
export const REMEMBERED_SPAN_MS = 90_000;
/** A window found longer is believed a little less after each timely episode: a limit may change its window, too. */
export const WINDOW_SHRINK = 0.9;
/** An untold wait makes up for what was sent too much, but for no more of a window than this: the limit may have risen. */
export const MOST_MADE_UP = 0.05;

/** After an episode: just under the measured rate; requests jitter on their way, and a window may catch one too many. */
export const FALL_TO = 0.99;
/** One refusal leaves at least this much of the pace: a measurement may be wrong, but a probe may have doubled the pace. */
export const LARGEST_FALL_TO = 0.45;
/** A ceiling and a new measurement this close are two measurements of one limit: one or two writes of a window. */
export const AGREES_WITHIN = 0.03;
/** What of such a difference is believed: a higher measurement was at least taken, a lower one may be chance. */
export const HIGHER_WEIGHT = 0.7;
export const LOWER_WEIGHT = 0.5;
/** Measured this far from the ceiling, the limit has moved; less may be a fixed window's edge, and hurrying there costs. */
export const MOVED_BY = 0.08;

/** Back at the ceiling after this long: sooner, episodes cost too much; later, a limit that rises is found too late. */
export const RETURN_MS = 90_000;
/** Each episode that finds the limit where it was puts the next off by this much, up to the longest; an hour doubles it. */
export const RETURN_GROWTH = 1.03;
export const LONGEST_RETURN_MS = 180_000;
/** Where the limit has moved, the new measurement is rough: probe soon. */
export const RETURN_AFTER_MOVE_MS = 12_500;
/** Where it is a little higher than believed, or refusals are noise: sooner, but not at once, since the edge is near. */
export const RETURN_WHILE_UNSURE_MS = 45_000;

/** Refusals heat by one, and this many slots cool by a factor of e: what comes once in so many is alone. */
export const COOLING_WRITES = 50;
/** From here refusals are an episode: three within some 35 slots, or one in 30 for long. Noise of one in a hundred seldom is. */
export const EPISODE_HEAT = 2.2;
/** Amid noise: three within some 7 slots, or one in 22 for long. */
export const EPISODE_HEAT_AMID_NOISE = 2.8;
/** Told to wait longer than this, Graph is full, and by more than a little. */
export const LONGEST_LONE_WAIT_MS = 2000;
/** A lone refusal while the pace returns takes off this much: were it the limit's, the next would not come. */
export const LONE_FALL = 0.015;
/** The same amid noise: as much as probes win back in the time between two of them. */
export const LONE_FALL_AMID_NOISE = 0.002;
/** What Graph took from one refusal to another this long after is what it takes: a burst or an edge is a hundredth of it. */
export const PROVE_MS = 60_000;
/** An episode that leaves the ceiling this far below what was proven: the limit is lower, and the proof void. */
export const VOID_BELOW = 0.01;
/** A lone refusal this far below what was proven is no limit's; a proof is as exact. */
export const BELOW_PROVEN = 0.005;
/** More than one lone refusal below what was proven is noise: a limit has one there by chance, and then the pace is lower. */
export const NOISE = 1.5;
/** What turned out to be noise is believed for so much longer, and never for longer than the most. */
export const NOISE_PROVEN = 1.5;
export const MOST_NOISE = 5;
/** Noise is forgotten by a factor of e in so many slots; ten minutes at Graph's documented limit. */
export const NOISE_WRITES = 3000;
/** Each proof that Graph is full leaves this much of the belief in noise. */
export const NOISE_AFTER_FULL = 0.9;
/** Amid noise episodes fall further, so that what is refused there tells whether it still is noise. */
export const FALL_TO_AMID_NOISE = 0.94;
/** A lone refusal and the second that makes it an episode are this far apart at most: a wait's length. */
export const SAME_EPISODE_MS = 3000;

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

// Constants of the learned pace, each with its reason; the Lua implementation in Redis is built from the same ones.

/** Rates are counted per window; refusals within one window belong to one episode. */
export { WINDOW_MS } from './per-window.ts';
/** Slots are counted in halves of a window, so that evidence is 1 to 1.5 windows old: older lags behind a steep probe. */
export const COUNTS_PER_WINDOW = 2;
/** Graph may count in longer windows than documented; longer windows than this are not learned. */
export const LONGEST_WINDOW_MS = 60_000;
/** A full period is at most half of its window, as probes never exceed twice the limit for long; usually it is far less. */
export const WINDOW_PER_FULL = 4;
/** A Retry-After longer than this is a penalty. */
export const LONGEST_FULL_MS = LONGEST_WINDOW_MS / WINDOW_PER_FULL;
/** Refused again on the first or second try: Graph was full the whole time in between. Noise causes this 1 % of the time. */
export const STILL_FULL_WRITES = 2;
/** The same for a refusal this soon after a wait: at a high rate several requests are sent before the first is answered. */
export const STILL_FULL_MS = 500;
/** Two consecutive spans between full windows that accepted nearly the same count as windows; probes differ by more. */
export const SPANS_AGREE_WITHIN = 0.05;
/** The longest span that can be one window, if its end was detected a quarter too late; the memory is half as long again. */
export const LONGEST_SPAN_MS = 75_000;
export const REMEMBERED_SPAN_MS = 90_000;
/** After each timely episode the learned window length shrinks by this factor: Graph may change its window, too. */
export const WINDOW_SHRINK = 0.85;
/** A wait without Retry-After compensates for excess writes, up to this share of a window: the limit may have risen. */
export const MOST_MADE_UP = 0.05;

/** After an episode: just below the measured rate, because latency jitter may put one write too many into a window. */
export const FALL_TO = 0.99;
/** One refusal keeps at least this share of the pace: the measurement may be wrong, but a probe may have doubled the pace. */
export const LARGEST_FALL_TO = 0.45;
/** A ceiling and a measurement this close are the same limit: they differ by one or two writes per window. */
export const AGREES_WITHIN = 0.03;
/** How much of such a difference is applied: a higher rate was really accepted, a lower one may be chance. */
export const HIGHER_WEIGHT = 0.7;
export const LOWER_WEIGHT = 0.5;
/** A measurement this far from the ceiling means the limit has moved; less may be the edge of a fixed window. */
export const MOVED_BY = 0.08;

/** Time to return to the ceiling: shorter makes episodes too costly, longer finds a raised limit too late. */
export const RETURN_MS = 90_000;
/** Each episode that confirms the limit delays the next by this factor, up to the maximum; it doubles within an hour. */
export const RETURN_GROWTH = 1.03;
export const LONGEST_RETURN_MS = 180_000;
/** If the limit has moved, the new measurement is rough: probe soon, but in a long window later in proportion. */
export const RETURN_AFTER_MOVE_MS = 12_500;
/** If the limit is slightly higher than assumed, or refusals are noise: sooner, but not at once, as the edge is near. */
export const RETURN_WHILE_UNSURE_MS = 45_000;

/** Each refusal adds 1 to the heat; this many slots reduce it by a factor of e. A refusal once in this many is isolated. */
export const COOLING_WRITES = 50;
/** Heat from which refusals form an episode: three within about 35 slots, or one in 30 for long. 1 % noise rarely gets here. */
export const EPISODE_HEAT = 2.2;
/** The same amid noise: three within about 7 slots, or one in 22 for long. */
export const EPISODE_HEAT_AMID_NOISE = 2.8;
/** A Retry-After longer than this means Graph is full, and well over its limit. */
export const LONGEST_LONE_WAIT_MS = 2000;
/** How much a lone refusal lowers the ceiling during the return: if the limit caused it, the next one is avoided. */
export const LONE_FALL = 0.015;
/** The same amid noise: as much as probing regains between two refusals. */
export const LONE_FALL_AMID_NOISE = 0.002;
/** What Graph accepted between two refusals this far apart is its real rate: bursts and edges account for 1 % of it. */
export const PROVE_MS = 60_000;
/** If an episode leaves the ceiling this far below the proven rate, the limit is lower and the proof is void. */
export const VOID_BELOW = 0.01;
/** A lone refusal this far below the proven rate was not caused by the limit; a proof is this accurate. */
export const BELOW_PROVEN = 0.005;
/** More than one lone refusal below the proven rate is noise: a limit causes one by chance, and then the pace is lower. */
export const NOISE = 1.5;
/** Added once noise is established, so that the belief lasts longer; the total is capped. */
export const NOISE_PROVEN = 1.5;
export const MOST_NOISE = 5;
/** Belief in noise decays by a factor of e over this many slots: ten minutes at Graph's documented limit. */
export const NOISE_WRITES = 3000;
/** Each proof that Graph is full multiplies the belief in noise by this factor. */
export const NOISE_AFTER_FULL = 0.9;
/** Amid noise episodes fall further, so that refusals there show whether it is still noise. */
export const FALL_TO_AMID_NOISE = 0.94;
/** The most time between a lone refusal and the second one that makes it an episode: the length of a wait. */
export const SAME_EPISODE_MS = 3000;

/** Above the ceiling: +4 % after 20 s, too little to overshoot within one window, and twice the ceiling after 58 s. */
export const PROBE_STEP = 0.04;
export const PROBE_MS = 20_000;

/** Retry-After is rounded up to whole seconds: the window may have ended up to this much earlier. */
export const ROUNDED_UP_MS = 1000;
/** The next measurement includes this last part of a wait, so that frequent one-second waits of a token bucket lower it. */
export const SEEN_OF_WAIT_MS = 300;
/**
 * Shorter measurements are padded with the current pace. A refusal soon after an episode is usually caused by the same
 * full window, and the short time in between contains only a handful of writes and a wait.
 */
export const SHORTEST_MEASURE_MS = 15_000;

/** A slot taken this late is not lost, the following ones catch up: timers and Redis are not exact. */
export const LATENESS_MS = 250;
/** Used slots required per unused one: below 90 % usage the pace does not grow. */
export const USED_PER_LOST = 10;

/** After this long without writes, a rate that was probed and not refused becomes the ceiling, and forgetting begins. */
export const REST_MS = 60_000;
/** Half-life of what was learned, relative to the start, while resting: about half survives a night. */
export const FORGET_HALF_LIFE_MS = 12 * 3_600_000;

/** Probing stops at this multiple of the start at the latest. */
export const MOST_TIMES_START = 10;
/** The pace never drops to zero: one write per window. */
export const LEAST_PER_20S = 1;

// How run results flow: totals sampled over time, and what comes in and goes out per second between them.

/** What was counted at one instant (milliseconds since 1970); the first two only ever grow. */
export type Sample = {
  at: number;
  /** All that were ever accepted. */
  accepted: number;
  /** All that ended in Graph, or were superseded. */
  ended: number;
  /** All that gave up, and are dead letters still. */
  dead: number;
  open: number;
  /** Those with an attempt under way. */
  delivering: number;
};

export type Flow = { inPerSecond: number; outPerSecond: number };

/** One member for each kept instant, oldest first; what a chart is drawn from. */
export type FlowHistory = { at: number[]; inPerSecond: number[]; outPerSecond: number[]; open: number[] };

/** Rates are taken over this long: creates are evenly spaced, submissions are not. */
const MEASURED_OVER_MS = 10_000;

/** The samples that are kept with a new one. A clock that stepped back starts over. */
export function remember(samples: readonly Sample[], sample: Sample, keepMs: number): Sample[] {
  const last = samples.at(-1);
  if (last && sample.at < last.at) return [sample];
  return [...samples.filter(({ at }) => at >= sample.at - keepMs), sample];
}

/** What flows at the end of these samples. */
export function flowAt(samples: readonly Sample[]): Flow {
  const now = samples.at(-1);
  const before = now && samples.find(({ at }) => at >= now.at - MEASURED_OVER_MS);
  if (!before || before.at === now.at) return { inPerSecond: 0, outPerSecond: 0 };
  const seconds = (now.at - before.at) / 1000;
  return {
    inPerSecond: Math.max(0, now.accepted - before.accepted) / seconds,
    outPerSecond: Math.max(0, now.ended - before.ended) / seconds,
  };
}

export function toHistory(samples: readonly Sample[]): FlowHistory {
  const flows = samples.map((_, index) => flowAt(samples.slice(0, index + 1)));
  return {
    at: samples.map(({ at }) => at),
    inPerSecond: flows.map(({ inPerSecond }) => round(inPerSecond)),
    outPerSecond: flows.map(({ outPerSecond }) => round(outPerSecond)),
    open: samples.map(({ open }) => open),
  };
}

/** Since when nothing was tried although something waited, as far back as the samples go; null where something was. */
export function stillSince(samples: readonly Sample[]): number | null {
  const now = samples.at(-1);
  if (!now) return null;
  const moved = samples.findLastIndex(
    ({ ended, dead, open, delivering }) => ended !== now.ended || dead !== now.dead || open === 0 || delivering > 0,
  );
  const since = samples[moved + 1]?.at;
  return since === undefined || since === now.at ? null : since;
}

const round = (perSecond: number) => Math.round(perSecond * 100) / 100;

// Throughput of run results: sampled totals, and the incoming and outgoing rates between samples.

/** Counts at one instant (milliseconds since 1970); `accepted` and `ended` only ever grow. */
export type Sample = {
  at: number;
  /** Total ever accepted. */
  accepted: number;
  /** Total delivered to Graph or superseded. */
  ended: number;
  /** Current number of dead letters. */
  dead: number;
  open: number;
  /** Deliveries with an attempt in progress. */
  delivering: number;
};

export type Flow = { inPerSecond: number; outPerSecond: number };

/** One member per sample, oldest first; the data of a chart. */
export type FlowHistory = { at: number[]; inPerSecond: number[]; outPerSecond: number[]; open: number[] };

/** Period over which rates are measured: creates are evenly spaced, submissions are not. */
const MEASURED_OVER_MS = 10_000;

/** Adds a sample and drops old ones. If the clock stepped back, starts over. */
export function remember(samples: readonly Sample[], sample: Sample, keepMs: number): Sample[] {
  const last = samples.at(-1);
  if (last && sample.at < last.at) return [sample];
  return [...samples.filter(({ at }) => at >= sample.at - keepMs), sample];
}

/** The rates at the last sample. */
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

/** Since when nothing was tried although deliveries were waiting, as far back as the samples reach; null otherwise. */
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

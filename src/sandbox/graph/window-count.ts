// Counts events of the last N milliseconds in a hundred buckets; an immutable value.

/** Slots with counts, in ascending order of their start. */
export type WindowCount = readonly { startMs: number; count: number }[];

const slotsPerWindow = 100;

/** Drops what has left the window. */
export function forgetOld(slots: WindowCount, windowMs: number, nowMs: number): WindowCount {
  const firstKept = slots.findIndex(({ startMs }) => startMs > nowMs - windowMs);
  if (firstKept === 0) return slots;
  return firstKept === -1 ? [] : slots.slice(firstKept);
}

/** Adds one event now. */
export function addOne(slots: WindowCount, windowMs: number, nowMs: number): WindowCount {
  const slotMs = windowMs / slotsPerWindow;
  const startMs = Math.floor(nowMs / slotMs) * slotMs;
  const kept = forgetOld(slots, windowMs, nowMs);
  const last = kept.at(-1);
  if (last?.startMs !== startMs) return [...kept, { startMs, count: 1 }];
  return [...kept.slice(0, -1), { startMs, count: last.count + 1 }];
}

/** The number of events in the window. */
export function total(slots: WindowCount): number {
  return slots.reduce((sum, { count }) => sum + count, 0);
}

// How many replicas must have a write before it counts: all that could take over, also those that just left the primary.

/** What a primary's INFO says of its replicas. */
export type Present = {
  /** How many follow, and confirmed something within two seconds; one that hangs stays online for a minute. */
  online: number;
  /** Identifies the history of its data; another one after a restart or a promotion. */
  history: string;
  /** The history it had as a replica, if it was promoted. */
  historyBefore: string;
  /** Milliseconds since 1970, on its own clock. */
  at: number;
};

/** What was seen of a primary's replicas, kept with its data: it outlives a restart, and goes to whichever replica is promoted. */
export type Seen = {
  online: number;
  history: string;
  /** Since when fewer are there; null while all are. */
  fewerSince: number | null;
};

/** A replica that is gone for longer no longer counts. */
const MISSED_FOR_MS = 10_000;

/**
 * `REDIS_MIN_REPLICAS` alone is not enough while a failover is under way. Sentinel may promote a replica that the old primary
 * has lost by then, while another one still confirms what the old primary takes. So a replica that was there counts on for a while.
 * A promoted replica begins anew: those that follow it do so by Sentinel's will.
 */
export function countNeeded(seen: Seen | null, present: Present, minReplicas: number): { needed: number; seen: Seen } {
  const { online, history, historyBefore, at } = present;
  const isPromoted = seen !== null && seen.history !== history && seen.history === historyBefore;
  if (seen === null || isPromoted || online >= seen.online) {
    return { needed: Math.max(minReplicas, online), seen: { online, history, fewerSince: null } };
  }
  // A clock that stepped back must not make it wait for ever.
  const fewerSince = Math.min(seen.fewerSince ?? at, at);
  if (at - fewerSince >= MISSED_FOR_MS) {
    return { needed: Math.max(minReplicas, online), seen: { online, history, fewerSince: null } };
  }
  return { needed: Math.max(minReplicas, seen.online), seen: { online: seen.online, history, fewerSince } };
}

/** @param info the section `replication` of INFO */
export function parsePresent(info: string, at: number): Present {
  const field = (name: string) => new RegExp(`^${name}:(\\S*)`, 'm').exec(info)?.[1] ?? '';
  const online = info.match(/^slave\d+:.*\bstate=online\b.*\blag=[0-2]\b/gm)?.length ?? 0;
  return { online, history: field('master_replid'), historyBefore: field('master_replid2'), at };
}

export const toSeenText = ({ online, history, fewerSince }: Seen): string =>
  [online, history, fewerSince ?? ''].join(' ');

/** Null if nothing was kept. */
export function parseSeen(text: string | null): Seen | null {
  const [, online, history = '', fewerSince] = /^(\d+) (\w+) (\d*)$/.exec(text ?? '') ?? [];
  if (online === undefined) return null;
  return { online: Number(online), history, fewerSince: fewerSince ? Number(fewerSince) : null };
}

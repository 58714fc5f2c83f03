// Announcements of dead letters: the first after a quiet hour, and again when they have become very many.
import { remedyOf } from '../operations/remedy.ts';
import type { Announcement } from './announcement.ts';
import type { OfTenant } from './held.ts';

/** Deliveries have been dying since this instant, with no quiet hour in between. */
export type AnnouncedDeaths = { since: number; latestAt: number; announced: number };

export type DeathFacts = {
  latestAt: number | null;
  /** The code of the latest; null if it cannot be read. */
  latestCode: string | null;
  /** How many died since the announced beginning, or else within the last hour. */
  recent: number;
  /** All that are kept. */
  kept: number;
};

/** Without a dead letter for this long, the next one is news. */
export const QUIET_MS = 3_600_000;
/** The latest death is noted at most this often. */
const NOTED_EVERY_MS = 60_000;
/** The counts that are announced. */
const STEPS = [1, 100, 10_000];

/** Whether there may be something to announce or to note; otherwise nobody needs to know the code of the latest. */
export function hasDied(before: AnnouncedDeaths | null, { latestAt, recent }: Omit<DeathFacts, 'latestCode'>): boolean {
  if (latestAt === null || recent === 0) return false;
  return before === null || latestAt > before.latestAt;
}

export function announceDeaths(
  before: AnnouncedDeaths | null,
  facts: DeathFacts,
  { tenant, now }: OfTenant,
): { deaths: AnnouncedDeaths | null; announcements: Announcement[] } {
  const { latestAt, recent } = facts;
  if (latestAt === null || now - latestAt > QUIET_MS) return { deaths: null, announcements: [] };
  if (!hasDied(before, facts)) return { deaths: before, announcements: [] };
  const isNew = before === null || latestAt - before.latestAt > QUIET_MS;
  const since = isNew ? latestAt : before.since;
  const announced = isNew ? 0 : before.announced;
  const reached = STEPS.findLast((step) => recent >= step) ?? 0;
  if (reached > announced) {
    const announcement = toAnnouncement(facts, since, { tenant, now });
    return { deaths: { since, latestAt, announced: reached }, announcements: [announcement] };
  }
  const isNoted = before !== null && latestAt - before.latestAt < NOTED_EVERY_MS;
  return { deaths: isNoted ? before : { since, latestAt, announced }, announcements: [] };
}

function toAnnouncement({ latestCode, recent, kept }: DeathFacts, since: number, of: OfTenant): Announcement {
  const reason = latestCode ?? 'unknown';
  const many = recent === 1 ? '1 delivery was given up' : `${recent} deliveries were given up`;
  return {
    type: 'dead-letters.rising',
    tenant: of.tenant,
    reason,
    detail: `${many}, the latest for ${reason}; ${kept} dead letters are kept in all`,
    remedy: remedyOf(reason),
    since,
    at: of.now,
  };
}

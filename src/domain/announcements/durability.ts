// Announcements of weak durability: a 202 may be lost with the machine. Nothing is announced when it is restored.
import type { Announcement } from './announcement.ts';

/** Announced, and seen to be weak at this instant. */
export type AnnouncedWeakness = { since: number; seenAt: number };

/** Nodes of a cluster may differ, and any of them may be asked: only after this long is it restored. */
const RESTORED_AFTER_MS = 3_600_000;
const NOTED_EVERY_MS = 60_000;

/** @param weakness what is wrong; null if nothing is */
export function announceDurability(
  before: AnnouncedWeakness | null,
  { mode, weakness }: { mode: string; weakness: string | null },
  now: number,
): { weakness: AnnouncedWeakness | null; announcements: Announcement[] } {
  if (weakness === null) {
    const isOver = before !== null && now - before.seenAt > RESTORED_AFTER_MS;
    return { weakness: isOver ? null : before, announcements: [] };
  }
  if (before !== null) {
    const isNoted = now - before.seenAt < NOTED_EVERY_MS;
    return { weakness: isNoted ? before : { ...before, seenAt: now }, announcements: [] };
  }
  const announcement: Announcement = {
    type: 'durability.weak',
    tenant: null,
    reason: mode,
    detail: `A 202 does not mean what it promises: ${weakness}`,
    remedy:
      'Set appendonly yes, appendfsync always and maxmemory-policy noeviction in Redis. Where Redis refuses to tell, allow INFO and CONFIG GET, or verify its settings by other means.',
    since: now,
    at: now,
  };
  return { weakness: { since: now, seenAt: now }, announcements: [announcement] };
}

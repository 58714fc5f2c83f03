// What changed about a tenant since operators were last told, from what is and what was announced.
import type { Announcement } from './announcement.ts';
import { announceDeaths, type AnnouncedDeaths, type DeathFacts } from './deaths.ts';
import { announceHolds, type AnnouncedHolds, type HoldFacts, type OfTenant } from './held.ts';

/** What operators were told about a tenant. Instants are milliseconds since 1970. */
export type Announced = {
  holds: AnnouncedHolds;
  deaths: AnnouncedDeaths | null;
  backlogFull: { since: number } | null;
};

export const NOTHING_ANNOUNCED: Announced = { holds: {}, deaths: null, backlogFull: null };

export type TenantFacts = {
  /** What Redis has; null if it was not read. */
  stored: (HoldFacts & { deaths: DeathFacts }) | null;
  /** Why nothing new is accepted, null while there is room; undefined in a process that does not know. */
  backlogFullReason: string | null | undefined;
};

export type Changes = { announced: Announced; announcements: Announcement[] };

export function decideChanges(before: Announced, facts: TenantFacts, of: OfTenant): Changes {
  const held = facts.stored && announceHolds(before.holds, facts.stored, of);
  const dead = facts.stored && announceDeaths(before.deaths, facts.stored.deaths, of);
  const backlog = announceBacklog(before.backlogFull, facts.backlogFullReason, of);
  return {
    announced: {
      holds: held?.holds ?? before.holds,
      deaths: dead ? dead.deaths : before.deaths,
      backlogFull: backlog.backlogFull,
    },
    announcements: [
      ...(held?.announcements ?? []),
      ...(dead?.announcements ?? []),
      ...(backlog.announcement ? [backlog.announcement] : []),
    ],
  };
}

const BACKLOG = { reason: 'backlog-full' } as const;

function announceBacklog(
  before: Announced['backlogFull'],
  fullReason: string | null | undefined,
  { tenant, now }: OfTenant,
): { backlogFull: Announced['backlogFull']; announcement: Announcement | null } {
  if (fullReason === undefined || (fullReason === null) === (before === null)) {
    return { backlogFull: before, announcement: null };
  }
  const since = before?.since ?? now;
  const common = { ...BACKLOG, tenant, since, at: now };
  if (fullReason === null) {
    const detail = 'There is room again: submissions are accepted';
    return {
      backlogFull: null,
      announcement: { ...common, type: 'backlog.room', detail, remedy: 'Nothing to do: devices submit again.' },
    };
  }
  return {
    backlogFull: { since },
    announcement: {
      ...common,
      type: 'backlog.full',
      detail: `Submissions are refused with 429: ${fullReason}`,
      remedy:
        'Devices keep their results and come back. See that workers run and that nothing is held, or allow a larger backlog: more memory for Redis, or a higher MAX_BACKLOG_BYTES or MAX_BACKLOG_AGE_H.',
    },
  };
}

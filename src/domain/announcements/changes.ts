// What changed about a tenant since operators were last told, from what is and what was announced.
import { WHO_IS_REFUSED, type BacklogState, type Room } from '../operations/backlog.ts';
import type { Announcement } from './announcement.ts';
import { announceDeaths, type AnnouncedDeaths, type DeathFacts } from './deaths.ts';
import { announceHolds, type AnnouncedHolds, type HoldFacts, type OfTenant } from './held.ts';

/** What operators were told about a tenant. Instants are milliseconds since 1970. */
export type Announced = {
  holds: AnnouncedHolds;
  deaths: AnnouncedDeaths | null;
  /** Whom the backlog refuses; null while there is room for all. */
  backlogFull: { since: number; room?: 'failures' | 'none' } | null;
};

export const NOTHING_ANNOUNCED: Announced = { holds: {}, deaths: null, backlogFull: null };

export type TenantFacts = {
  /** What Redis has; null if it was not read. */
  stored: (HoldFacts & { deaths: DeathFacts }) | null;
  /** Undefined in a process that does not know. */
  backlog: BacklogState | undefined;
};

export type Changes = { announced: Announced; announcements: Announcement[] };

export function decideChanges(before: Announced, facts: TenantFacts, of: OfTenant): Changes {
  const held = facts.stored && announceHolds(before.holds, facts.stored, of);
  const dead = facts.stored && announceDeaths(before.deaths, facts.stored.deaths, of);
  const backlog = announceBacklog(before, facts.backlog, of);
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

/** The room operators were told of. What an earlier version noted had no room for anything. */
export const announcedRoom = ({ backlogFull }: Announced): Room => (backlogFull ? (backlogFull.room ?? 'none') : 'all');

/** A backlog that still refuses somebody, but fewer, is no news: it would be told again and again. */
export const isBacklogNews = (known: Room, room: Room): boolean =>
  known !== room && (known === 'all' || room === 'all' || room === 'none');

function announceBacklog(
  before: Announced,
  state: BacklogState | undefined,
  { tenant, now }: OfTenant,
): { backlogFull: Announced['backlogFull']; announcement: Announcement | null } {
  const { backlogFull } = before;
  if (state === undefined || !isBacklogNews(announcedRoom(before), state.room)) {
    return { backlogFull, announcement: null };
  }
  const since = backlogFull?.since ?? now;
  const common = { reason: 'backlog-full', tenant, since, at: now };
  if (state.room === 'all') {
    const detail = 'There is room again: submissions are accepted';
    return {
      backlogFull: null,
      announcement: { ...common, type: 'backlog.room', detail, remedy: 'Nothing to do: devices submit again.' },
    };
  }
  return {
    backlogFull: { since, room: state.room },
    announcement: {
      ...common,
      type: 'backlog.full',
      detail: `S${WHO_IS_REFUSED[state.room].slice(1)}: ${state.reason}`,
      remedy:
        'Devices keep their results and come back. See that workers run and that nothing is held, or allow a larger backlog: more memory for Redis, or a higher MAX_BACKLOG_BYTES or MAX_BACKLOG_AGE_H.',
    },
  };
}

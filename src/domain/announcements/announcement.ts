// An announcement: something changed that an operator must know, told once.

export const ANNOUNCEMENT_TYPES = [
  'hold.began',
  'hold.ended',
  'dead-letters.rising',
  'backlog.full',
  'backlog.room',
  'durability.weak',
  'test',
] as const;
export type AnnouncementType = (typeof ANNOUNCEMENT_TYPES)[number];

/** Instants are milliseconds since 1970. */
export type Announcement = {
  type: AnnouncementType;
  /** Null if it concerns the whole service, or several tenants. */
  tenant: string | null;
  /** A stable code: of the hold, of the dead letter, … */
  reason: string;
  detail: string;
  remedy: string;
  /** When it began. */
  since: number;
  /** When it was noticed. */
  at: number;
};

/** What is sent: one announcement, or several of one type. */
export type Message = Announcement & {
  /** The same for every attempt at sending it. */
  id: string;
  count: number;
};

/** Errors of Graph may be long, and chats take no more than some 20 KB. */
const LONGEST_DETAIL = 1500;

export const shorten = (detail: string): string =>
  detail.length <= LONGEST_DETAIL ? detail : `${detail.slice(0, LONGEST_DETAIL).toWellFormed()} …`;

/** Sent by the doctor on request. */
export const toTest = (now: number): Announcement => ({
  type: 'test',
  tenant: null,
  reason: 'alert-test',
  detail: 'A test, sent by runstate-bridge doctor --alert-test. Announcements arrive here.',
  remedy: 'Nothing to do.',
  since: now,
  at: now,
});

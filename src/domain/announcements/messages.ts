// Turns announcements that wait together into messages: a few are sent one by one, a storm as one message with a count.
import { shorten, type Announcement, type AnnouncementType, type Message } from './announcement.ts';

/** Announcements that were not kept, since too many waited. */
export type Lost = { type: AnnouncementType; lost: number };

export type Batch = { id: string; announcements: readonly Announcement[]; lost: readonly Lost[] };

/** More than this of one type are one message. */
const ONE_BY_ONE = 3;
/** Tenants and reasons that a message names. */
const NAMED = 10;

/** The same batch always gives the same messages, so sending a batch again adds none. */
export function toMessages({ id, announcements, lost }: Batch): Message[] {
  const types = new Set(announcements.map(({ type }) => type));
  return Array.from(types).flatMap((type, index) => {
    const alike = announcements.filter((announcement) => announcement.type === type);
    const missing = lost.reduce((sum, one) => sum + (one.type === type ? one.lost : 0), 0);
    if (alike.length + missing <= ONE_BY_ONE) {
      return alike.map((announcement, part) => ({ ...announcement, id: `msg_${id}_${index}_${part}`, count: 1 }));
    }
    return [{ ...summarise(type, alike, alike.length + missing), id: `msg_${id}_${index}` }];
  });
}

function summarise(
  type: AnnouncementType,
  alike: readonly Announcement[],
  count: number,
): Announcement & { count: number } {
  const latest = alike.reduce((one, other) => (other.at >= one.at ? other : one));
  const [tenants, reasons] = [countBy(alike, ({ tenant }) => tenant ?? ''), countBy(alike, ({ reason }) => reason)];
  const isOneReason = reasons.length === 1;
  const where = latest.tenant === null ? '' : ` (${latest.tenant})`;
  return {
    type,
    tenant: tenants.length === 1 ? latest.tenant : null,
    reason: isOneReason ? latest.reason : 'several',
    detail: shorten(
      [
        `${count} × ${type}${isOneReason ? '' : `: ${name(reasons)}`}`,
        ...(tenants.length === 1 ? [] : [`${tenants.length} tenants: ${name(tenants)}`]),
        `The latest${where}: ${latest.detail}`,
      ].join('. '),
    ),
    remedy: isOneReason ? latest.remedy : 'The dashboard and GET /v1/status have the remedy of each.',
    since: Math.min(...alike.map(({ since }) => since)),
    at: latest.at,
    count,
  };
}

type Counted = [name: string, count: number];

/** Most frequent first. */
function countBy(alike: readonly Announcement[], toName: (announcement: Announcement) => string): Counted[] {
  const counts = new Map<string, number>();
  for (const announcement of alike) counts.set(toName(announcement), (counts.get(toName(announcement)) ?? 0) + 1);
  return Array.from(counts).sort((one, other) => other[1] - one[1]);
}

function name(counted: readonly Counted[]): string {
  const named = counted.slice(0, NAMED).map(([what, count]) => (count === 1 ? what : `${what} ${count}`));
  const others = counted.length - named.length;
  return `${named.join(', ')}${others === 0 ? '' : ` and ${others} more`}`;
}

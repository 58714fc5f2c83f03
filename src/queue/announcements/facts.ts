// What there is to tell operators about a tenant: its holds, its dead letters and the hold of its device directory.
import { DIRECTORY_HOLD_REASONS } from '../../domain/directory/directory-answer.ts';
import type { Delivery } from '../../domain/delivery.ts';
import type { Announced, TenantFacts } from '../../domain/announcements/changes.ts';
import type { BacklogState, Room } from '../../domain/operations/backlog.ts';
import { hasDied, QUIET_MS } from '../../domain/announcements/deaths.ts';
import type { HoldFacts } from '../../domain/announcements/held.ts';
import type { Hold } from '../../domain/hold/hold.ts';
import { remembered } from '../../domain/hold/judge.ts';
import type { RedisConnection } from '../redis/connection.ts';
import type { Keys } from '../redis/keys.ts';
import { scriptOf } from '../redis/script.ts';

export type ReportedTenant = {
  id: string;
  keys: Keys;
  deliveries: { find: (id: string) => Promise<Pick<Delivery, 'lastFailure'> | null> };
  /** Only in a process that accepts submissions. @param known the room that was announced */
  judgeBacklog?: (known: Room) => BacklogState | undefined;
};

export type ReadFacts = (
  tenant: ReportedTenant,
  announced: Announced,
) => Promise<{ now: number; stored: NonNullable<TenantFacts['stored']> }>;

type Reply = [
  now: number,
  holds: string[],
  parked: string[],
  latest: [id: string, at: string] | [],
  recent: number,
  kept: number,
  directory: (string | null)[],
];

export function createReadFacts(redis: RedisConnection): ReadFacts {
  const script = scriptOf(redis, 'announcements/read-facts');

  return async ({ keys, deliveries }, announced) => {
    const [now, fields, parked, [id, at], recent, kept, directory] = (await script(
      [keys.holds, keys.parkedSets, keys.dead, keys.directory.hold],
      [keys.root, announced.deaths?.since ?? '', QUIET_MS],
    )) as Reply;
    const holds: Record<string, Hold> = {};
    for (let index = 0; index < fields.length; index += 2) {
      holds[fields[index] ?? ''] = JSON.parse(fields[index + 1] ?? '') as Hold;
    }
    const known = { suspicions: {}, worked: {}, holds, parked };
    const deaths = { latestAt: at === undefined ? null : Number(at), recent, kept };
    // A dead letter that was purged meanwhile, or that no key opens, has no code.
    const latest =
      id !== undefined && hasDied(announced.deaths, deaths) ? await deliveries.find(id).catch(() => null) : null;
    return {
      now,
      stored: {
        holds: Object.values(remembered(known, now)),
        directoryHold: toDirectoryHold(directory),
        deaths: { ...deaths, latestCode: latest?.lastFailure?.code ?? null },
      },
    };
  };
}

function toDirectoryHold([reason, detail, since]: (string | null)[]): HoldFacts['directoryHold'] {
  const known = DIRECTORY_HOLD_REASONS.find((name) => name === reason);
  if (known === undefined || since == null) return null;
  return { reason: known, detail: detail ?? '', since: Number(since) };
}

// What operators were told, by tenant: read, compared elsewhere, and noted together with the announcements that follow.
import { isDeepStrictEqual } from 'node:util';
import type { Announcement } from '../../domain/announcements/announcement.ts';
import { NOTHING_ANNOUNCED, type Announced } from '../../domain/announcements/changes.ts';
import type { AnnouncedWeakness } from '../../domain/announcements/durability.ts';
import type { RedisConnection } from '../redis/connection.ts';
import type { AnnouncementKeys } from '../redis/keys.ts';
import { scriptOf } from '../redis/script.ts';

/** What was noted about a tenant, and its text, by which a later change by another process shows. */
export type Noted<T> = { value: T; text: string };

export type Note<T> = { before: Noted<T>; after: T; announcements: readonly Announcement[] };

export type AnnouncedStore = {
  ofTenants: (ids: readonly string[]) => Promise<Noted<Announced>[]>;
  ofService: () => Promise<Noted<AnnouncedWeakness | null>>;
  /** @returns false if another process was faster: then nothing was noted, and nothing will be announced */
  note: <T>(tenantId: string | null, note: Note<T>) => Promise<boolean>;
};

/** What a process that cannot send anything for days keeps; more are only counted. An announcement takes about 1 KB. */
const MOST_PENDING = 500;
/** Where what concerns the whole service is noted; no tenant's id is empty. */
const SERVICE = '';

export function createAnnouncedStore(redis: RedisConnection, keys: AnnouncementKeys): AnnouncedStore {
  const noteScript = scriptOf(redis, 'announcements/note-changes');

  return {
    ofTenants: async (ids) => {
      if (ids.length === 0) return [];
      const texts = await redis.hmget(keys.announced, ...ids);
      return texts.map((text) => ({
        value: text === null ? NOTHING_ANNOUNCED : (JSON.parse(text) as Announced),
        text: text ?? '',
      }));
    },
    ofService: async () => {
      const text = (await redis.hget(keys.announced, SERVICE)) ?? '';
      return { value: text === '' ? null : (JSON.parse(text) as AnnouncedWeakness), text };
    },
    note: async (tenantId, { before, after, announcements }) => {
      const text = after === null || isDeepStrictEqual(after, NOTHING_ANNOUNCED) ? '' : toJson(after);
      const args = [tenantId ?? SERVICE, before.text, text, MOST_PENDING];
      const pending = announcements.flatMap((announcement) => [announcement.type, toJson(announcement)]);
      return (await noteScript([keys.announced, keys.pending, keys.rounds], [...args, ...pending])) === 1;
    },
  };
}

/** Lone surrogates, from an error that was cut, would not survive the way through Redis. */
const toJson = (value: unknown): string =>
  JSON.stringify(value, (_name, member: unknown) => (typeof member === 'string' ? member.toWellFormed() : member));

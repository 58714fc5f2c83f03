// Delivery records: found, saved by compare-and-set, counted. The record is authoritative; a BullMQ job only wakes a worker.
import { toDeviceTag } from '../../domain/submission/compacted-delivery.ts';
import { isDeliveryId, isReplaceable, isTerminal, STATUSES, supersede } from '../../domain/delivery.ts';
import type { Delivery } from '../../domain/delivery.ts';
import type { Counts } from '../../domain/operations/tenant-snapshot.ts';
import { toSupersessionOrder, type SupersessionOrder } from '../../domain/supersession.ts';
import { toText, type RunResult } from '../../domain/submission/run-result.ts';
import type { Keys } from '../redis/keys.ts';
import { scriptOnList, type WaitingList } from './waiting-list.ts';
import { createFindCompacted, type FindCompacted } from './compacted.ts';
import { refuseLeftAlone } from './left-alone.ts';
import { isUnreadable, nextRevision, parseRecord, toBody, type Stored } from './record.ts';
import { createClaims, toClaimHash, type Claims } from './claims.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { STATUS_CODES } from '../lua/constants.ts';
import { scriptOf } from '../redis/script.ts';
import type { PayloadCipher } from './payload-cipher.ts';

/**
 * `saved` · `stale`: changed by another process in the meantime · `gone`: no such delivery ·
 * `claimed`: the record in Graph belongs to another delivery.
 */
export type Saved = Announced | { kind: 'stale' | 'gone' | 'claimed' };

/** As it is stored from now on, in a revision that no other change has. */
export type Announced = { kind: 'saved'; stored: Stored };

type Change = {
  /** Milliseconds since 1970. */
  now: number;
  /** The token of the owner whose record in Graph this one may take over. */
  takeFrom?: string;
  /** The replay at a rate that puts it back into the queue, which counts it: `stale` if that has not claimed it. */
  replayId?: string;
};

const OPEN_STATUSES = STATUSES.filter((status) => !isTerminal(status));

export type Records = Claims & {
  find: (id: string) => Promise<Delivery | null>;
  /** What is left of a delivered run once its details are dropped. To be asked after `find` had nothing. */
  findCompacted: FindCompacted;
  /** In the order of the ids; null for one that is gone or cannot be read here. */
  findAll: (ids: readonly string[]) => Promise<(Delivery | null)[]>;
  /** @throws LeftAlone if a newer version wrote it */
  load: (id: string) => Promise<Stored | null>;
  /** In the order of the ids, in one call; null for one that is gone or cannot be read here. */
  loadAll: (ids: readonly string[]) => Promise<(Stored | null)[]>;
  save: (stored: Stored, next: Delivery, change: Change) => Promise<Saved>;
  /** Supersedes the older of two by the newer, unless the older may already be in Graph. */
  replace: (older: string, newer: string, now: number) => Promise<Saved['kind']>;
  /** An open or created delivery for the same device and configuration whose run completed later; null if there is none. */
  findNewer: (delivery: Delivery, run: RunResult) => Promise<string | null>;
  /** Removes a promoted delivery from the lists if its record was deleted. */
  forget: (id: string) => Promise<void>;
  counts: () => Promise<Counts>;
  /** Whether there is work: how many are open, and whether a replay is running. One read, since idle tenants are asked too. @throws LeftAlone */
  countWork: () => Promise<{ open: number; isReplaying: boolean }>;
  /** Bytes used by the records of open deliveries, excluding Redis's overhead. */
  openBytes: () => Promise<number>;
  /** The deliveries that ended last, newest first; a hundred are remembered. */
  latest: (limit: number) => Promise<Delivery[]>;
};

export type RecordSettings = {
  /** How long a run is remembered after it was delivered. */
  dedupeWindowMs: number;
  /** How long all of a delivered run is kept; after that only what recognises it. Not less than the window: always all. */
  deliveredKeptMs: number;
  /** Whether a newer result for a device and configuration supersedes older ones. */
  supersede: boolean;
};

export type RecordParts = {
  redis: RedisConnection;
  waitingList: WaitingList;
  keys: Keys;
  tenantId: string;
  cipher: PayloadCipher;
  settings: RecordSettings;
};

/** The records of one tenant. */
export function createRecords({ redis, waitingList, keys, tenantId, cipher, settings }: RecordParts): Records {
  const { dedupeWindowMs, deliveredKeptMs, supersede: supersedes } = settings;
  const saveScript = scriptOnList(redis, waitingList, 'store/save-delivery');
  const newerQuery = scriptOf(redis, 'store/find-newer');
  const forgetScript = scriptOnList(redis, waitingList, 'store/forget-delivery');

  const parse = (id: string, record: string | null): Stored | null => {
    if (record === null) return null;
    const { delivery, run, rev } = parseRecord({ id, tenantId, record, cipher });
    return { delivery, run, rev };
  };

  /** Null also for a record that cannot be read here. */
  const parseReadable = (id: string, record: string | null): Stored | null => {
    try {
      return parse(id, record);
    } catch (error) {
      if (isUnreadable(error)) return null;
      throw error;
    }
  };

  const load = async (id: string) => (isDeliveryId(id) ? parse(id, await redis.get(keys.delivery(id))) : null);

  async function save(stored: Stored, next: Delivery, { now, takeFrom = '', replayId = '' }: Change): Promise<Saved> {
    const claim = next.deviceRunStateId === null ? [] : [keys.record(next.deviceRunStateId)];
    const body = toBody(next, stored.run && toText(stored.run), cipher);
    const order = stored.run && toSupersessionOrder(stored.run, next.acceptedAt);
    // The difference of two instants of one clock is valid on any other clock.
    const waitMs = next.status === 'waiting' ? Math.max(0, next.dueAt - now) : 0;
    const newer = next.status === 'superseded' ? (next.supersededBy ?? '') : '';
    const rev = nextRevision(stored.rev);
    const [kind, heir] = toReply(
      await saveScript(
        [keys.delivery(next.id), keys.dead, keys.ended, ...claim],
        [
          stored.rev,
          STATUS_CODES[next.status],
          body,
          next.id,
          now,
          dedupeWindowMs,
          waitMs,
          newer,
          order?.supersessionKey ?? '',
          order?.instant ?? '',
          takeFrom,
          replayId,
          deliveredKeptMs,
          next.deliveredAt ?? 0,
          toDeviceTag(next.id, next.deviceId),
          next.deviceRunStateId === null ? '' : toClaimHash(next.deviceRunStateId),
          next.attempts.at(-1)?.outcome === 'created' ? 1 : 0,
          rev,
        ],
      ),
    );
    if (heir !== null && order) await pointTo(heir, next.id, order, now).catch(() => undefined);
    if (kind !== 'saved') return { kind };
    return { kind, stored: { ...stored, delivery: next, rev } };
  }

  /** Redirects deliveries superseded by one that died to its heir. If this fails, they only keep a reference to a dead one. */
  async function pointTo(
    heir: string,
    dead: string,
    { supersessionKey, instant }: SupersessionOrder,
    now: number,
  ): Promise<void> {
    const others = await redis.zrangebylex(keys.supersession(supersessionKey), '-', `(${instant}`);
    for (const id of others.map((member) => member.split(' ')[1] ?? '')) {
      const other = id === heir ? null : await load(id);
      if (other?.delivery.status !== 'superseded' || other.delivery.supersededBy !== dead) continue;
      await save(other, supersede(other.delivery, heir), { now });
    }
  }

  async function loadAll(ids: readonly string[]): Promise<(Stored | null)[]> {
    if (ids.length === 0) return [];
    const records = await redis.mget(ids.map(keys.delivery));
    return ids.map((id, index) => parseReadable(id, records[index] ?? null));
  }

  const findAll = async (ids: readonly string[]) => (await loadAll(ids)).map((stored) => stored?.delivery ?? null);

  async function latest(limit: number): Promise<Delivery[]> {
    const ids = await redis.lrange(keys.ended, 0, limit - 1);
    const ended = (await findAll(ids)).filter((delivery) => delivery !== null);
    // One that came back may have ended twice, or may not have ended again yet.
    return ended.filter(({ id, status }, index) => isTerminal(status) && ids.indexOf(id) === index);
  }

  return {
    ...createClaims(redis, keys),
    findCompacted: createFindCompacted(redis, keys, tenantId),
    load,
    loadAll,
    save,
    latest,
    findAll,
    find: async (id) => (await load(id))?.delivery ?? null,
    replace: async (older, newer, now) => {
      const stored = await load(older);
      if (!stored) return 'gone';
      if (!isReplaceable(stored.delivery)) return 'stale';
      return (await save(stored, supersede(stored.delivery, newer), { now })).kind;
    },
    findNewer: async (delivery, run) => {
      if (!supersedes) return null;
      const order = toSupersessionOrder(run, delivery.acceptedAt);
      if (!order) return null;
      return (await newerQuery([keys.supersession(order.supersessionKey)], [keys.root, order.instant])) as
        string | null;
    },
    forget: async (id) => {
      await forgetScript([keys.delivery(id)], [id]);
    },
    counts: async () => {
      const counts = await redis.hmget(keys.counts, ...STATUSES);
      return Object.fromEntries(STATUSES.map((status, index) => [status, Number(counts[index] ?? 0)])) as Counts;
    },
    countWork: async () => {
      const all = await redis.hmget(keys.counts, 'format', 'moved', 'replaying', ...OPEN_STATUSES);
      const [format = null, moved = null, replaying = null, ...fields] = all;
      refuseLeftAlone(format, moved);
      return { open: fields.reduce((sum, count) => sum + Number(count ?? 0), 0), isReplaying: replaying !== null };
    },
    openBytes: async () => Number((await redis.hget(keys.counts, 'bytes')) ?? 0),
  };
}

/** The reply of a save: its kind and, if the delivery died, the one that takes its place. */
function toReply(reply: unknown): [kind: Saved['kind'], heir: string | null] {
  return Array.isArray(reply) ? (reply as ['saved', string]) : [reply as Saved['kind'], null];
}

// Rebuilds the index and what is known of devices beside live traffic: adds what is missing, corrects what is there.
import type { Cluster } from 'ioredis';
import { configurationKey } from '../../domain/hold/hold.ts';
import { HEADER_BYTES } from '../lua/constants.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { toReportArgs, toReportArgsWithoutRun } from '../devices/report.ts';
import type { Keys } from '../redis/keys.ts';
import { scriptOf } from '../redis/script.ts';
import type { PayloadCipher } from '../store/payload-cipher.ts';
import { configurationOf, isUnreadable, parseHeader, type Stored } from '../store/record.ts';
import type { Records } from '../store/records.ts';

/** How many records were looked at, how many of them were not in the index, and how many were news of their device. */
export type Rebuilt = { records: number; added: number; reports: number };

export type RebuildParts = {
  redis: RedisConnection;
  keys: Keys;
  tenantId: string;
  cipher: PayloadCipher;
  records: Pick<Records, 'load'>;
};

type Found = { id: string; acceptedAt: number; configuration: string };

/** With what the record says, unless it is gone or sealed with an unknown key. */
type Loaded = Found & { stored: Stored | null };

/** One slice blocks Redis for about a millisecond. */
const SLICE = 1000;
const ADDED_AT_ONCE = 50;

/** Reads the headers of all records, then adds from the oldest to the newest. @param onProgress how many are done, of how many */
export async function rebuildIndex(
  { redis, keys, tenantId, cipher, records }: RebuildParts,
  onProgress: (done: number, all: number) => void,
): Promise<Rebuilt> {
  const addScript = scriptOf(redis, 'index/add-missing');
  const found: Found[] = [];
  for await (const slice of scanKeys(redis, keys)) found.push(...(await readHeaders(slice)));
  found.sort((a, b) => a.acceptedAt - b.acceptedAt);
  const reportsScript = scriptOf(redis, 'devices/add-reports');
  let [added, reports] = [0, 0];
  for (let from = 0; from < found.length; from += ADDED_AT_ONCE) {
    const slice = await Promise.all(found.slice(from, from + ADDED_AT_ONCE).map(load));
    const args = slice.flatMap(({ id, configuration }) => [id, configuration]);
    added += Number(await addScript([keys.counts], [keys.root, slice.length, ...args]));
    const about = slice.flatMap(({ stored, ...one }) => (stored ? [toReport(one, stored)] : []));
    reports += Number(await reportsScript([keys.counts], [keys.root, about.length, ...about.flat()]));
    onProgress(Math.min(from + ADDED_AT_ONCE, found.length), found.length);
  }
  return { records: found.length, added, reports };

  async function readHeaders(slice: readonly string[]): Promise<Found[]> {
    const headers = await Promise.all(slice.map((key) => redis.getrange(key, 0, HEADER_BYTES)));
    return headers.flatMap((header, index) => {
      // One that expired meanwhile.
      if (header === '') return [];
      const id = (slice[index] ?? '').slice(keys.delivery('').length);
      const acceptedAt = readAcceptedAt(id, header);
      return acceptedAt === null ? [] : { id, acceptedAt, configuration: configurationOf(header) };
    });
  }

  /** Null for a newer version's record, which is that version's to index. */
  function readAcceptedAt(id: string, header: string): number | null {
    try {
      return parseHeader(id, tenantId, header).base.acceptedAt;
    } catch (error) {
      return unlessUnreadable(error);
    }
  }

  /** Records of the first versions have no configuration key in their header. */
  async function load(one: Found): Promise<Loaded> {
    const stored = await records.load(one.id).catch(unlessUnreadable);
    if (!stored || one.configuration !== '') return { ...one, stored };
    return { ...one, stored, configuration: configurationKey(stored.delivery.hardwareConfigurationId) };
  }

  function toReport({ id, acceptedAt, configuration }: Found, { delivery, run }: Stored): (string | number)[] {
    const [key, name, state] = run
      ? toReportArgs(tenantId, run, cipher)
      : toReportArgsWithoutRun(tenantId, delivery.deviceId, cipher);
    return [key, name, configuration, state, acceptedAt, id];
  }
}

/** One sealed with an unknown key is in the index all the same. */
function unlessUnreadable(error: unknown): null {
  if (isUnreadable(error)) return null;
  throw error;
}

/** In a cluster all keys of a tenant are on one node, but only the cluster knows which, so all masters are scanned. */
async function* scanKeys(redis: RedisConnection, keys: Keys): AsyncGenerator<string[]> {
  const pattern = keys.delivery(`d${'?'.repeat(22)}`).replace(/[[\]\\*]/g, '\\$&');
  for (const node of redis.isCluster ? (redis as Cluster).nodes('master') : [redis]) {
    let cursor = '0';
    do {
      const [next, slice] = await node.scan(cursor, 'MATCH', pattern, 'COUNT', SLICE);
      cursor = next;
      yield slice;
    } while (cursor !== '0');
  }
}

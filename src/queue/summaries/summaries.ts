// Reads the summaries of one tenant. Scripts write them, in the call that changes a delivery.
import { configurationKey, toConfigurationId } from '../../domain/hold/hold.ts';
import { ENDS, type Summary, type SummaryName } from '../../domain/summaries/summary.ts';
import { RUN_STATES } from '../../domain/submission/run-result.ts';
import type { RedisConnection } from '../redis/connection.ts';
import type { Keys } from '../redis/keys.ts';
import { SUMMARY_CONSTANTS } from './layout.ts';

export type Summaries = {
  /** Of the days from the first to the last. */
  names: (firstDay: number, lastDay: number) => Promise<SummaryName[]>;
  /** Those of the names that exist, in their order. */
  read: (names: readonly SummaryName[]) => Promise<Summary[]>;
};

/** One call reads this many, and takes Redis a fraction of a millisecond. */
const READ_AT_ONCE = 250;

const { CONFIGURATION_BYTES, SHARED_SUMMARY, SUMMARY_COUNTERS, SUMMARY_BYTES, FIRST_BUCKET, LATENCY_BUCKETS } =
  SUMMARY_CONSTANTS;

export function createSummaries(redis: RedisConnection, keys: Keys, tenantId: string): Summaries {
  /** In slices, one after the other, so that Redis serves others in between. */
  async function readAll(wanted: readonly string[]): Promise<(Buffer | null)[]> {
    const found: (Buffer | null)[] = [];
    for (let from = 0; from < wanted.length; from += READ_AT_ONCE)
      found.push(...(await redis.mgetBuffer(wanted.slice(from, from + READ_AT_ONCE))));
    return found;
  }

  return {
    names: async (firstDay, lastDay) => {
      const days = Array.from({ length: Math.max(0, lastDay - firstDay + 1) }, (_, index) => firstDay + index);
      const lists = await readAll(days.map(keys.summarised));
      return days.flatMap((day, index) =>
        (lists[index]?.toString('latin1').match(CONFIGURATION) ?? []).map((key) => ({
          tenantId,
          day,
          hardwareConfigurationId: key === SHARED_SUMMARY ? null : toConfigurationId(key),
        })),
      );
    },
    read: async (names) => {
      const wanted = names.map(({ day, hardwareConfigurationId: id }) =>
        keys.summary(day, id === null ? SHARED_SUMMARY : configurationKey(id)),
      );
      const stored = await readAll(wanted);
      return names.flatMap((name, index) => {
        const counters = stored[index];
        return counters?.length === SUMMARY_BYTES ? [{ ...name, ...toCounts(counters) }] : [];
      });
    },
  };
}

const CONFIGURATION = new RegExp(`.{${CONFIGURATION_BYTES}}`, 'g');

function toCounts(counters: Buffer) {
  const at = (number: number) => counters.readUInt32BE(4 * number);
  const named = <K extends string>(names: readonly K[]) =>
    Object.fromEntries(names.map((name) => [name, at(Number(SUMMARY_COUNTERS[name]))])) as Record<K, number>;
  return {
    states: named(RUN_STATES),
    ends: named(ENDS),
    latency: Array.from({ length: LATENCY_BUCKETS }, (_, bucket) => at(FIRST_BUCKET + bucket)),
  };
}

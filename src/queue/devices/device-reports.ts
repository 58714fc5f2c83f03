// The last run results of devices: who reported what, who has been silent, who fails again and again, who never reported.
import { configurationKey } from '../../domain/hold/hold.ts';
import {
  inOrder,
  isListedReport,
  mergeDevicePages,
  type DeviceFilter,
  type DevicePage,
  type DevicePosition,
  type DeviceReport,
  type ListedReport,
} from '../../domain/lists/device-list.ts';
import type { Keys } from '../redis/keys.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { scriptOf } from '../redis/script.ts';
import type { PayloadCipher } from '../store/payload-cipher.ts';
import { deviceKey, parseReport, resealName } from './report.ts';

export type DeviceReports = {
  /**
   * Newest first; those that fail again and again by how many in a row failed.
   * @param after null for the first page
   */
  list: (filter: DeviceFilter, limit: number, after: DevicePosition | null) => Promise<DevicePage>;
  /**
   * When each of these devices reported last, in milliseconds since 1970; null for one that never did.
   * @param hardwareConfigurationId for this configuration
   */
  reportedAt: (deviceIds: readonly string[], hardwareConfigurationId?: string) => Promise<(number | null)[]>;
  /** Forgets what a device reported; it is new when it reports again. @returns false if nothing was known of it */
  retire: (deviceId: string) => Promise<boolean>;
  /**
   * Forgets devices that did not report for 400 days, and seals some names again that another key than the first sealed, so
   * that the key can be dropped some time; to be called now and then.
   */
  sweep: (now: number) => Promise<void>;
};

const KEPT_MS = 400 * 86_400_000;
/** Blocks Redis for about a millisecond. */
const SWEPT_AT_ONCE = 200;
/** A page takes about a millisecond in Redis. */
const LISTED_AT_ONCE = 250;
/** A report that was sealed with an unknown key is passed over; at most this many pages of them. */
const PAGES_AT_MOST = 40;

/** How many names sealed with another key are looked for in one call, and how many at a time. */
const RESEALED = { inCall: 5000, atOnce: 250 };

export type DeviceReportsParts = { redis: RedisConnection; keys: Keys; tenantId: string; cipher: PayloadCipher };

export function createDeviceReports({ redis, keys, tenantId, cipher }: DeviceReportsParts): DeviceReports {
  const listScript = scriptOf(redis, 'devices/list-reports');
  const readScript = scriptOf(redis, 'devices/read-reports');
  const sweepScript = scriptOf(redis, 'devices/sweep-reports');

  const retireScript = scriptOf(redis, 'devices/retire-device');
  const resealScript = scriptOf(redis, 'devices/reseal-names');
  let resealedUpTo = '0';

  async function reseal(): Promise<void> {
    for (let seen = 0; seen < RESEALED.inCall;) {
      const [next, flat] = await redis.hscan(keys.reports, resealedUpTo, 'COUNT', RESEALED.atOnce);
      const changes = Array.from({ length: flat.length / 2 }, (_, index) => {
        const [key = '', known = ''] = flat.slice(2 * index);
        const [name = ''] = known.split('\n', 1);
        const sealed = resealName(key, name, cipher);
        return sealed === null ? [] : [key, name, sealed];
      }).flat();
      if (changes.length > 0) await resealScript([keys.counts], [keys.root, ...changes]);
      resealedUpTo = next;
      seen += flat.length / 2;
      if (next === '0') return;
    }
  }

  async function listSome(filter: DeviceFilter, after: DevicePosition | null, limit: number) {
    const { hardwareConfigurationId: configuration, silentSince = Number.MAX_SAFE_INTEGER, failuresInARow } = filter;
    const isFailing = failuresInARow !== undefined;
    const largest = isFailing ? Number.MAX_SAFE_INTEGER : silentSince;
    const isWithin = after !== null && after.value <= largest;
    const flat = (await listScript(
      [keys.counts],
      [
        keys.root,
        isFailing ? 'failing' : 'reported',
        configuration === undefined ? '' : configurationKey(configuration),
        isWithin ? after.value : largest,
        isWithin ? after.key : '',
        failuresInARow ?? 0,
        limit,
      ],
    )) as string[];
    return Array.from({ length: flat.length / 5 }, (_, index) => {
      const [key = '', value, name = '', report = '', statusCode = ''] = flat.slice(5 * index);
      const position = { value: Number(value), key };
      // A key of those that fail has the configuration behind it.
      const device = key.slice(0, 12);
      return { position, report: parseReport({ tenantId, key: device, name, report, statusCode }, cipher) };
    });
  }

  async function listAll(filter: DeviceFilter, limit: number, after: DevicePosition | null): Promise<DevicePage> {
    const reports: ListedReport[] = [];
    let next = after;
    for (let pages = 0; pages < PAGES_AT_MOST; pages += 1) {
      // One more than the page has room for tells whether another follows.
      const asked = Math.min(limit - reports.length + 1, LISTED_AT_ONCE);
      const some = await listSome(filter, next, asked);
      reports.push(
        ...some.flatMap(({ position, report }) =>
          report && isListedReport(report, filter) ? { position, report } : [],
        ),
      );
      if (reports.length > limit)
        return { reports: reports.slice(0, limit), next: reports[limit - 1]?.position ?? null };
      if (some.length < asked) return { reports, next: null };
      next = some.at(-1)?.position ?? null;
    }
    return { reports, next };
  }

  /** A device has few, so all are read. */
  async function listOfDevice(deviceId: string, filter: DeviceFilter): Promise<ListedReport[]> {
    const key = deviceKey(tenantId, deviceId);
    const [name = '', ...flat] = (await readScript([keys.counts], [keys.root, key])) as string[];
    const reports = Array.from({ length: flat.length / 2 }, (_, index) => {
      const [report = '', statusCode = ''] = flat.slice(2 * index);
      return parseReport({ tenantId, key, name, report, statusCode }, cipher);
    });
    return reports
      .filter((report) => report !== null)
      .filter((report) => isListedReport(report, filter))
      .map((report) => ({ report, position: toPosition(key, report) }))
      .toSorted((a, b) => inOrder(a.position, b.position));
  }

  return {
    list: async (filter, limit, after) => {
      if (filter.deviceId === undefined) return listAll(filter, limit, after);
      const all = await listOfDevice(filter.deviceId, filter);
      const following = all.filter(({ position }) => after === null || inOrder(after, position) < 0);
      return mergeDevicePages([{ reports: following, next: null }], limit);
    },
    reportedAt: async (deviceIds, configuration) => {
      if (deviceIds.length === 0) return [];
      const list = keys.reported(configuration === undefined ? undefined : configurationKey(configuration));
      const scores = await redis.zmscore(list, ...deviceIds.map((deviceId) => deviceKey(tenantId, deviceId)));
      return scores.map((score) => (score === null ? null : Number(score)));
    },
    retire: async (deviceId) =>
      Number(await retireScript([keys.counts], [keys.root, deviceKey(tenantId, deviceId)])) === 1,
    sweep: async (now) => {
      let forgotten = SWEPT_AT_ONCE;
      while (forgotten === SWEPT_AT_ONCE)
        forgotten = Number(await sweepScript([keys.counts], [keys.root, now - KEPT_MS, SWEPT_AT_ONCE]));
      await reseal();
    },
  };
}

const toPosition = (key: string, { reportedAt, hardwareConfigurationId }: DeviceReport): DevicePosition => ({
  value: reportedAt,
  key: `${key}.${configurationKey(hardwareConfigurationId)}`,
});

// What the routes ask of a tenant. The API opens tenants; routes know no other way to one.
import type { CompactedDelivery } from '../../domain/submission/compacted-delivery.ts';
import type { Delivery } from '../../domain/delivery.ts';
import type { DeliveryFilter, DeliveryPage, ListedAt } from '../../domain/lists/delivery-list.ts';
import type { DeviceFilter, DevicePage, DevicePosition } from '../../domain/lists/device-list.ts';
import type { DeadLetterFilter } from '../../domain/operations/dead-letter.ts';
import type { Replay, ReplayOperation } from '../../domain/replay/replay.ts';
import type { Summary, SummaryName } from '../../domain/summaries/summary.ts';
import type { Said } from '../../domain/submission/fingerprinted-text.ts';
import type { RunResult } from '../../domain/submission/run-result.ts';
import type { DeviceRate } from '../request/rate.ts';

/** Stores a run result. Rejects if the queue does not answer: then nothing is promised. */
export type Accept = (
  run: RunResult,
  now: number,
  about: {
    said: Said;
    /** The trace its attempts belong to. */
    traceparent: string | null;
  },
) => Promise<
  | { kind: 'accepted' | 'duplicate'; delivery: Delivery; ahead: number | null }
  | { kind: 'conflict' }
  /** Too much is waiting, though failed runs may still have room; it takes `drainS` seconds at the current pace. */
  | { kind: 'backlog-full'; room: 'failures' | 'none'; drainS: number }
>;

/** One dead letter, or all that match. */
export type Selection = { deliveryId: string } | { filter: DeadLetterFilter };

export type DeadLetters = {
  list: (
    filter: DeadLetterFilter,
    limit: number,
    cursor: string | null,
  ) => Promise<{ deadLetters: Delivery[]; nextCursor: string | null }>;
  count: (selection: Selection) => Promise<number>;
  replay: (selection: Selection, now: number) => Promise<number>;
  purge: (selection: Selection) => Promise<number>;
};

/** Replays at a rate. */
export type Replays = {
  /** `open`: another one has not ended · `none`: nothing matched. */
  start: (
    filter: DeadLetterFilter,
    terms: { perSecond: number; by: string | null },
  ) => Promise<{ kind: 'started'; replay: Replay } | { kind: 'open' | 'none' }>;
  /** The latest ones, newest first. */
  list: () => Promise<Replay[]>;
  /** The one that is running or paused; null if there is none. */
  findOpen: () => Promise<Replay | null>;
  /** `unchanged`: it was so already · `ended`: too late. */
  change: (
    id: string,
    operation: ReplayOperation,
  ) => Promise<{ kind: 'changed' | 'unchanged' | 'ended'; replay: Replay } | { kind: 'unknown' }>;
};

export type ServedTenant = {
  id: string;
  /** Milliseconds since 1970 on the clock that all processes share. */
  now: () => number;
  /** Null without a rate limit. */
  rate: DeviceRate | null;
  accept: Accept;
  /** When a delivery will be created at the current budget; null if unknown or ended. */
  forecast: (delivery: Delivery, ahead: number | null) => number | null;
  find: (id: string) => Promise<Delivery | null>;
  /** What is left of a delivered run once its details are dropped. To be asked after `find` had nothing. */
  findCompacted: (id: string) => Promise<CompactedDelivery | null>;
  /** @param after null for the first page */
  list: (filter: DeliveryFilter, limit: number, after: ListedAt | null) => Promise<DeliveryPage>;
  deadLetters: DeadLetters;
  reports: {
    /** @param after null for the first page */
    list: (filter: DeviceFilter, limit: number, after: DevicePosition | null) => Promise<DevicePage>;
    /** When each of these devices reported last; null for one that never did. */
    reportedAt: (deviceIds: readonly string[], hardwareConfigurationId?: string) => Promise<(number | null)[]>;
  };
  summaries: {
    /** Of the days from the first to the last. */
    names: (firstDay: number, lastDay: number) => Promise<SummaryName[]>;
    /** Those of the names that exist, in their order. */
    read: (names: readonly SummaryName[]) => Promise<Summary[]>;
  };
  replays: Replays;
  revocations: {
    isRevoked: (deviceId: string) => boolean;
    list: () => Promise<{ deviceId: string; revokedAt: number }[]>;
    /** @returns false if it was already revoked */
    revoke: (deviceId: string, now: number) => Promise<boolean>;
    /** @returns false if it was not revoked */
    restore: (deviceId: string) => Promise<boolean>;
  };
  /** Forgets what a device reported. @returns false if nothing was known of it */
  retire: (deviceId: string) => Promise<boolean>;
  /** Null if the device directory vouches for nobody. @param deviceId a GUID in lower case */
  forgetInDirectory: ((deviceId: string) => Promise<{ changed: boolean; asked: boolean }>) | null;
  /** @returns when it would have ended; null if there is none */
  endThrottle: () => Promise<number | null>;
};

/** The tenants of this process, which may change at any time. */
export type ServedTenants = {
  find: (id: string) => ServedTenant | null;
  all: () => readonly ServedTenant[];
};

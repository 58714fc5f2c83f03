// The events a consumer reports about deliveries, holds and itself; telemetry implements them.
import type { Delivery, Outcome } from '../../domain/delivery.ts';
import type { Hold } from '../../domain/hold/hold.ts';
import type { Replay } from '../../domain/replay/replay.ts';
import type { Verdict } from '../../domain/attempt/decide.ts';
import type { LeftAlone } from '../store/left-alone.ts';

/** A finished attempt and the verdict on it. */
export type AttemptEnded = { delivery: Delivery; outcome: Outcome; verdict: Verdict; durationMs: number };

/** Events of a single delivery. */
export type DeliveryEvents = {
  attempt: (ended: AttemptEnded) => void;
  delivered: (delivery: Delivery) => void;
  dead: (delivery: Delivery) => void;
  /** A worker disappeared during an attempt. */
  stalled: (deliveryId: string) => void;
  /** A defect: Graph has two records for one run. */
  deliveredTwice: (delivery: Delivery, otherDeviceRunStateId: string) => void;
  /** Graph replaced the record of an earlier delivery with that of a later one. */
  recordReplaced: (earlier: Delivery, later: Delivery) => void;
};

/** Events that concern every delivery of the tenant. */
export type TenantEvents = {
  throttled: (waitMs: number) => void;
  held: (hold: Hold) => void;
  probeFailed: (hold: Hold) => void;
  released: (hold: Hold, now: number) => void;
};

export type ConsumerEvents = DeliveryEvents &
  TenantEvents & {
    /** Open deliveries had no job and were given one. */
    woken: (deliveries: number) => void;
    /** A replay at a rate has replayed or skipped everything it matched. */
    replayEnded: (replay: Replay) => void;
    /** A newer version wrote a record, or has taken over the tenant's data, or that is moved: all are left alone. */
    leftAlone: (found: LeftAlone) => void;
    redisTrouble: (error: Error) => void;
    defect: (error: unknown, what: string) => void;
  };

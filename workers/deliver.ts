// One attempt: creates the device run state of a delivery, or looks up whether an unanswered create left one.
import type { Delivery, Outcome } from '../src/domain/delivery.ts';
import { toDeviceRunState, type DeviceRunState } from '../src/domain/device-run-state.ts';
import type { Failure } from '../src/domain/attempt/failure.ts';
import type { RunResult } from '../src/domain/submission/run-result.ts';

/**
 * The ids of the matching records. With `unread` there may be more: it says why the listing was not read to its end and
 * where a later lookup continues (null: from the start).
 */
export type Records = {
  kind: 'records';
  ids: string[];
  requestId: string | null;
  unread?: { detail: string; next: string | null };
};

/** What an attempt asks of Graph and of the store. None of these throws because of Graph or the network. */
export type AttemptDependencies = {
  /** Creates the record. `announcedAt`: when the intent was recorded; nothing is sent if that is too long ago. */
  create: (state: DeviceRunState, announcedAt: number, signal: AbortSignal) => Promise<Outcome>;
  /** Looks the record up in Graph. `from`: where an earlier lookup stopped; null to start at the beginning. */
  find: (state: DeviceRunState, signal: AbortSignal, from: string | null) => Promise<Records | Failure>;
  /** Keeps the ids of the records that this delivery may claim. */
  claimable: (deviceRunStateIds: readonly string[], deliveryId: string) => Promise<string[]>;
};

export function createDeliver({ create, find, claimable }: AttemptDependencies) {
  return async (delivery: Delivery, run: RunResult, signal: AbortSignal): Promise<Outcome> => {
    const state = toDeviceRunState(run);
    if (delivery.intent?.sends !== 'look') return create(state, delivery.intent?.at ?? 0, signal);
    const found = await find(state, signal, delivery.uncertainty?.next ?? null);
    if (found.kind !== 'records') return found;
    const graph = { status: 200, requestId: found.requestId };
    const [deviceRunStateId] = await claimable(found.ids, delivery.id);
    if (deviceRunStateId !== undefined) return { kind: 'found', deviceRunStateId, graph };
    // Only a complete listing proves that the record is absent; the unread part may contain it.
    return found.unread
      ? { kind: 'inconclusive', ...found.unread, graph: { ...graph, code: null } }
      : { kind: 'absent', graph };
  };
}

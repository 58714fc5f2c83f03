// One attempt: creates the device run state of a delivery, or looks up whether an unanswered create left one.
import type { Delivery, Outcome } from '../src/domain/delivery.ts';
import { toDeviceRunState, type DeviceRunState } from '../src/domain/device-run-state.ts';
import type { Failure } from '../src/domain/attempt/failure.ts';
import type { RunResult } from '../src/domain/submission/run-result.ts';

/** Matching records; with `unread`, why the list is incomplete and where a later lookup continues. */
export type Records = {
  kind: 'records';
  ids: string[];
  requestId: string | null;
  unread?: { detail: string; next: string | null };
};

/** What an attempt needs from outside. None of these throws because of Graph or the network. */
export type Outside = {
  create: (state: DeviceRunState, announcedAt: number, signal: AbortSignal) => Promise<Outcome>;
  find: (state: DeviceRunState, signal: AbortSignal, from: string | null) => Promise<Records | Failure>;
  /** Filters records to those that may belong to this delivery. */
  claimable: (deviceRunStateIds: readonly string[], deliveryId: string) => Promise<string[]>;
};

export function createDeliver({ create, find, claimable }: Outside) {
  return async (delivery: Delivery, run: RunResult, signal: AbortSignal): Promise<Outcome> => {
    const state = toDeviceRunState(run);
    if (delivery.mark?.sends !== 'look') return create(state, delivery.mark?.at ?? 0, signal);
    const found = await find(state, signal, delivery.uncertainty?.next ?? null);
    if (found.kind !== 'records') return found;
    const graph = { status: 200, requestId: found.requestId };
    const [deviceRunStateId] = await claimable(found.ids, delivery.id);
    if (deviceRunStateId !== undefined) return { kind: 'found', deviceRunStateId, graph };
    // The unread part may hold it: only a complete listing proves that a record is absent.
    return found.unread
      ? { kind: 'inconclusive', ...found.unread, graph: { ...graph, code: null } }
      : { kind: 'absent', graph };
  };
}

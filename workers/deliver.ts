// One attempt: delivery → device run state → outcome. Creates, or looks for what an unanswered create may have left.
import type { Delivery, Outcome } from '../src/domain/delivery.ts';
import { toDeviceRunState, type DeviceRunState } from '../src/domain/device-run-state.ts';
import type { Failure } from '../src/domain/attempt/failure.ts';
import type { RunResult } from '../src/domain/submission/run-result.ts';

/** What was found; with `unread`, what else there may be, and where a later lookup goes on. */
export type Records = {
  kind: 'records';
  ids: string[];
  requestId: string | null;
  unread?: { detail: string; next: string | null };
};

/** What an attempt needs of the outside. None of these throws for what Graph or the network do. */
export type Outside = {
  create: (state: DeviceRunState, announcedAt: number, signal: AbortSignal) => Promise<Outcome>;
  find: (state: DeviceRunState, signal: AbortSignal, from: string | null) => Promise<Records | Failure>;
  /** Of these records, those that may be this delivery's. */
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
    // What was not read may hold it: only a listing read to its end says that a record is not there.
    return found.unread
      ? { kind: 'inconclusive', ...found.unread, graph: { ...graph, code: null } }
      : { kind: 'absent', graph };
  };
}

// Counters the sandbox updates with each request.
import { isGraphOperation, isWrite } from './faults/operation.ts';
import type { LoggedRequest } from './server/request-log.ts';
import { addOne, forgetOld, total } from './graph/window-count.ts';
import type { WindowCount } from './graph/window-count.ts';

const mostIdsRemembered = 200_000;

export type Tally = ReturnType<typeof createTally>;

/** Counters with constant cost per request. */
export function createTally() {
  const byStatus: Record<string, number> = {};
  const byOperation: Record<string, number> = {};
  const clientRequestIds = new Set<string>();
  const counts = {
    graphRequests: 0,
    tokenRequests: 0,
    createsApplied: 0,
    answered429: 0,
    faultsGiven: 0,
    missingClientRequestId: 0,
    reusedClientRequestId: 0,
    connectionsOpened: 0,
  };
  let recentWrites: WindowCount = [];

  function noteClientRequestId(id: string | null): void {
    if (id === null) counts.missingClientRequestId += 1;
    else if (clientRequestIds.has(id)) counts.reusedClientRequestId += 1;
    else {
      if (clientRequestIds.size >= mostIdsRemembered) clientRequestIds.clear();
      clientRequestIds.add(id);
    }
  }

  return {
    note: (request: LoggedRequest, windowMs: number): void => {
      byStatus[request.status] = (byStatus[request.status] ?? 0) + 1;
      byOperation[request.operation] = (byOperation[request.operation] ?? 0) + 1;
      if (request.fault !== null) counts.faultsGiven += 1;
      if (request.operation === 'token') counts.tokenRequests += 1;
      if (!isGraphOperation(request.operation)) return;
      counts.graphRequests += 1;
      if (request.status === 429) counts.answered429 += 1;
      if (request.operation === 'create' && request.effect === 'applied') counts.createsApplied += 1;
      if (isWrite(request.operation) && request.status !== 429)
        recentWrites = addOne(recentWrites, windowMs, request.atMs);
      noteClientRequestId(request.clientRequestId);
    },
    noteConnection: (): void => {
      counts.connectionsOpened += 1;
    },
    read: () => ({ ...counts, byStatus: { ...byStatus }, byOperation: { ...byOperation } }),
    /** Writes in the last window that were not refused with 429. */
    writesIn: (windowMs: number, nowMs: number): number => total(forgetOld(recentWrites, windowMs, nowMs)),
  };
}

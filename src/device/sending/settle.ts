// What the answer about one run result means for it: only an answer in the bridge's own form counts, since portals and proxies say 200 and 403 too.
import { parseObject } from '../outcome.ts';

export type Settled =
  | { kind: 'stored'; deliveryId: string; duplicate: boolean }
  /** For good: sent again, it would be refused again. */
  | { kind: 'refused'; code: string; answer: string }
  | { kind: 'kept' };

/** The same request will never be accepted. Others may: a clock can be set right, a key become known, a route be opened. */
const FINAL_STATUSES = [400, 403, 409, 413, 415, 422];
const STORED_STATUSES = [200, 202];

export const isFinal = (httpStatus: number): boolean => FINAL_STATUSES.includes(httpStatus);

/** What the bridge calls its problems; a gateway's `{"code": …}` is none. */
const OWN_PROBLEM = 'urn:runstate-bridge:problem:';

/** @param answer a receipt or a problem, as text */
export function settle(runId: string, httpStatus: number, answer: string): Settled {
  const said = parseObject(answer);
  const { deliveryId, code, type } = said ?? {};
  const isProblem = typeof type === 'string' && type.startsWith(OWN_PROBLEM);
  if (STORED_STATUSES.includes(httpStatus) && typeof deliveryId === 'string' && said?.['runId'] === runId) {
    return { kind: 'stored', deliveryId, duplicate: said['duplicate'] === true };
  }
  if (isFinal(httpStatus) && isProblem && typeof code === 'string') return { kind: 'refused', code, answer };
  return { kind: 'kept' };
}

/**
 * What the answer to a batch means for each of its run results, in order.
 * @param answer an array of receipts and problems
 */
export function settleBatch(runIds: readonly string[], answer: string): Settled[] {
  const entries = parseArray(answer);
  return runIds.map((runId, index) => {
    const entry: unknown = entries[index];
    // A problem has its status as a number, a receipt the delivery's as a word.
    const status: unknown = (entry as { status?: unknown } | undefined)?.status;
    return settle(runId, typeof status === 'number' ? status : 200, JSON.stringify(entry ?? null));
  });
}

function parseArray(text: string): unknown[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}

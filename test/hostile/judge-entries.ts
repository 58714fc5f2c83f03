// What the answer to a batch must be: one receipt or problem for each entry, in order.
import type { EntryExpected } from './case.ts';
import type { RawAnswer } from './connection.ts';
import { BUSY, judgeProblemMembers, judgeReceiptMembers, type Json } from './judge-members.ts';

/** Some faults are enough. */
const MOST_FAULTS = 5;

/** Everything that is wrong with the answer to a batch. */
export function judgeEntries({ headers, body }: RawAnswer, expected: readonly EntryExpected[]): string[] {
  const entries = readEntries(body);
  if (entries === null) return [`an answer to a batch that is no array: ${body.toString().slice(0, 100)}`];
  if (!(headers['content-type'] ?? '').startsWith('application/json')) return ['an answer to a batch that is no JSON'];
  if (entries.length !== expected.length) return [`${entries.length} answers to ${expected.length} entries`];
  return entries
    .flatMap((entry, at) => {
      const faults = judgeEntry(entry, expected[at] ?? { stores: null }, headers['x-request-id']);
      return faults.map((fault) => `entry ${at}: ${fault}`);
    })
    .slice(0, MOST_FAULTS);
}

function judgeEntry(entry: Json, { stores, code, duplicate }: EntryExpected, requestId: string | undefined): string[] {
  if (isBusy(entry)) return judgeProblemMembers(entry, requestId, undefined);
  if (Object.hasOwn(entry, 'code')) {
    const faults = judgeProblemMembers(entry, requestId, code);
    return stores === null ? faults : [...faults, `refused: ${JSON.stringify(entry).slice(0, 200)}`];
  }
  return stores === null ? ['accepted, and should be refused'] : judgeReceiptMembers(entry, stores, duplicate);
}

/** Refused because of others: it may be stored, and nothing is promised. */
export const isBusy = (entry: Json): boolean => BUSY.includes(String(entry['code']));

/** The entries of an answer; null where it is no array of objects. */
export function readEntries(body: Buffer): Json[] | null {
  try {
    const json: unknown = JSON.parse(body.toString());
    const isRight = Array.isArray(json) && json.every((one) => typeof one === 'object' && one !== null);
    return isRight ? (json as Json[]) : null;
  } catch {
    return null;
  }
}

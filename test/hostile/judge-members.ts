// What the JSON of a problem and of a receipt must hold, wherever it stands.
import type { RunRecord } from './rules.ts';

/** Said to whoever comes when too many do. */
export const BUSY: readonly string[] = ['overloaded', 'queue-unavailable'];
/** The codes of each refusal as they are documented; a hostile sender causes none of 429 and 5xx, but for many at once. */
const CODES: Record<number, readonly string[]> = {
  400: ['bad-request', 'invalid-json'],
  401: ['unauthenticated'],
  403: ['wrong-device'],
  404: ['not-found'],
  405: ['method-not-allowed'],
  408: ['request-timeout'],
  409: ['run-id-reused'],
  413: ['too-large'],
  414: ['url-too-long'],
  415: ['unsupported-media-type'],
  422: ['invalid-request', 'invalid-run-result'],
  431: ['headers-too-large'],
  503: BUSY,
};
const PROBLEM_MEMBERS = ['code', 'detail', 'requestId', 'status', 'title', 'type'];
const RECEIPT_MEMBERS = ['acceptedAt', 'deliveryId', 'duplicate', 'runId', 'status'];
const STATUSES = ['queued', 'delivering', 'waiting', 'delivered', 'dead', 'superseded'];
const INSIDES = /node_modules|\.ts:\d|\.js:\d|\bat (?:async )?[\w.<>]+ \(|ECONN|ERR_[A-Z]|redis/i;

export type Json = Record<string, unknown>;

/** @param code any documented one of its status where it is undefined */
export function judgeProblemMembers(problem: Json, requestId: string | undefined, code: string | undefined): string[] {
  const names = Object.keys(problem).filter((name) => name !== 'errors');
  const answeredCode = String(problem['code']);
  const status = Number(problem['status']);
  const isCode = CODES[status]?.includes(answeredCode) === true && (code === undefined || answeredCode === code);
  const text = JSON.stringify(problem);
  const checks: [boolean, string][] = [
    [names.sort().join() === PROBLEM_MEMBERS.join(), `members ${names.join()}`],
    [isCode, `code ${answeredCode} with ${status} where ${code ?? 'any'} was expected`],
    [problem['type'] === `urn:runstate-bridge:problem:${answeredCode}`, 'a type of another code'],
    [problem['requestId'] === requestId, 'another request id in the body'],
    [typeof problem['title'] === 'string' && typeof problem['detail'] === 'string', 'no title or detail'],
    [problem['errors'] === undefined || areFaults(problem['errors']), 'errors that are none'],
    [!INSIDES.test(text), `the inside shows: ${text.slice(0, 300)}`],
  ];
  return faultsOf(checks);
}

export const faultsOf = (checks: readonly [boolean, string][]) =>
  checks.filter(([isRight]) => !isRight).map(([, fault]) => fault);

const areFaults = (errors: unknown) =>
  Array.isArray(errors) &&
  errors.length > 0 &&
  errors.every((fault: Json) => {
    const { pointer, detail, ...rest } = fault;
    return typeof pointer === 'string' && typeof detail === 'string' && Object.keys(rest).length === 0;
  });

/** @param duplicate undefined where either is right */
export function judgeReceiptMembers(receipt: Json, run: RunRecord, duplicate: boolean | undefined): string[] {
  const saysDuplicate = receipt['duplicate'];
  return faultsOf([
    [RECEIPT_MEMBERS.every((name) => Object.hasOwn(receipt, name)), 'a receipt without its members'],
    [/^[\w-]{8,64}$/.test(String(receipt['deliveryId'])), 'a delivery id that is none'],
    [receipt['runId'] === run.runId, 'the receipt of another run'],
    [
      typeof saysDuplicate === 'boolean' && (duplicate === undefined || saysDuplicate === duplicate),
      'known, and not known',
    ],
    [STATUSES.includes(String(receipt['status'])), 'no status'],
  ]);
}

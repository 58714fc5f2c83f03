// What every answer must be, whoever asked and however: a documented one, whole, of the right form, with nothing inside out.
import type { Expected } from './case.ts';
import type { RawAnswer } from './connection.ts';
import type { RunRecord } from './rules.ts';

/** The codes of each refusal as they are documented; a hostile sender causes none of 429 and 5xx. */
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
};
const PROBLEM_MEMBERS = ['code', 'detail', 'requestId', 'status', 'title', 'type'];
const RECEIPT_MEMBERS = ['acceptedAt', 'deliveryId', 'duplicate', 'runId', 'status'];
const STATUSES = ['queued', 'delivering', 'waiting', 'delivered', 'dead', 'superseded'];
const INSIDES = /node_modules|\.ts:\d|\.js:\d|\bat (?:async )?[\w.<>]+ \(|ECONN|ERR_[A-Z]|redis/i;

type Json = Record<string, unknown>;

/** Everything that is wrong with an answer. */
export function judge(answer: RawAnswer, expected: Expected): string[] {
  const { status, headers } = answer;
  const faults: string[] = [];
  const must = (isRight: boolean, fault: string) => {
    if (!isRight) faults.push(fault);
  };

  must(expected.statuses.includes(status), `${status} is none of ${expected.statuses.join()}`);
  must(/^[\w.-]{1,64}$/.test(headers['x-request-id'] ?? ''), 'no request id');
  if (expected.requestId !== undefined) {
    must(headers['x-request-id'] === expected.requestId, `the answer to ${headers['x-request-id'] ?? 'nothing'}`);
  }
  must(Number.isFinite(Date.parse(headers['date'] ?? '')), 'no date');
  must(headers['x-content-type-options'] === 'nosniff' && headers['content-security-policy'] !== undefined, 'not safe');
  must(headers['x-powered-by'] === undefined && headers['server'] === undefined, 'it says what it runs on');
  must(status !== 405 || headers['allow'] !== undefined || headers['connection'] === 'close', '405 without Allow');
  must(status !== 401 || headers['www-authenticate'] !== undefined, '401 without WWW-Authenticate');
  if (status >= 400) faults.push(...judgeProblem(answer, expected.code));
  if (expected.stores !== null && (status === 200 || status === 202)) {
    faults.push(...judgeReceipt(answer, expected.stores));
  }
  return faults;
}

function judgeProblem({ status, headers, body }: RawAnswer, code: string | undefined): string[] {
  // Whoever asks with HEAD gets no body.
  if (body.length === 0) return headers['content-length'] === '0' ? ['a refusal without a body'] : [];
  const problem = parse(body);
  if (problem === null) return [`a refusal that is no JSON: ${body.toString().slice(0, 100)}`];
  const names = Object.keys(problem).filter((name) => name !== 'errors');
  const told = String(problem['code']);
  const checks: [boolean, string][] = [
    [(headers['content-type'] ?? '').startsWith('application/problem+json'), 'a refusal that is no problem+json'],
    [names.sort().join() === PROBLEM_MEMBERS.join(), `members ${names.join()}`],
    [problem['status'] === status, 'another status in the body'],
    [code === undefined ? CODES[status]?.includes(told) === true : told === code, `code ${told} with ${status}`],
    [problem['type'] === `urn:runstate-bridge:problem:${told}`, 'a type of another code'],
    [problem['requestId'] === headers['x-request-id'], 'another request id in the body'],
    [typeof problem['title'] === 'string' && typeof problem['detail'] === 'string', 'no title or detail'],
    [problem['errors'] === undefined || areFaults(problem['errors']), 'errors that are none'],
    [!INSIDES.test(body.toString()), `the inside shows: ${body.toString().slice(0, 300)}`],
  ];
  return checks.filter(([isRight]) => !isRight).map(([, fault]) => fault);
}

const areFaults = (errors: unknown) =>
  Array.isArray(errors) &&
  errors.length > 0 &&
  errors.every((fault: Json) => {
    const { pointer, detail, ...rest } = fault;
    return typeof pointer === 'string' && typeof detail === 'string' && Object.keys(rest).length === 0;
  });

function judgeReceipt({ status, headers, body }: RawAnswer, run: RunRecord): string[] {
  const receipt = parse(body);
  if (receipt === null) return ['a receipt that is no JSON'];
  const id = String(receipt['deliveryId']);
  const checks: [boolean, string][] = [
    [RECEIPT_MEMBERS.every((name) => Object.hasOwn(receipt, name)), 'a receipt without its members'],
    [/^[\w-]{8,64}$/.test(id), 'a delivery id that is none'],
    [receipt['runId'] === run.runId, 'the receipt of another run'],
    [receipt['duplicate'] === (status === 200), 'known, and not known'],
    [STATUSES.includes(String(receipt['status'])), 'no status'],
    [headers['location'] === `/v1/deliveries/${id}`, 'no Location'],
    [(headers['content-type'] ?? '').startsWith('application/json'), 'a receipt that is no JSON'],
  ];
  return checks.filter(([isRight]) => !isRight).map(([, fault]) => fault);
}

export function parse(body: Buffer): Json | null {
  try {
    const json: unknown = JSON.parse(body.toString());
    return typeof json === 'object' && json !== null ? (json as Json) : null;
  } catch {
    return null;
  }
}

// What every answer must be, whoever asked and however: a documented one, whole, of the right form, with nothing inside out.
import type { Expected } from './case.ts';
import type { RawAnswer } from './connection.ts';
import { judgeEntries } from './judge-entries.ts';
import { faultsOf, judgeProblemMembers, judgeReceiptMembers, type Json } from './judge-members.ts';
import type { RunRecord } from './rules.ts';

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
  must(status !== 503 || /^\d+$/.test(headers['retry-after'] ?? ''), '503 without Retry-After');
  must(status !== 401 || headers['www-authenticate'] !== undefined, '401 without WWW-Authenticate');
  if (status >= 400) faults.push(...judgeProblem(answer, expected.code));
  if (expected.stores !== null && (status === 200 || status === 202)) {
    faults.push(...judgeReceipt(answer, expected.stores));
  }
  if (expected.entries && status === 200) faults.push(...judgeEntries(answer, expected.entries));
  return faults;
}

function judgeProblem({ status, headers, body }: RawAnswer, code: string | undefined): string[] {
  // Whoever asks with HEAD gets no body.
  if (body.length === 0) return headers['content-length'] === '0' ? ['a refusal without a body'] : [];
  const problem = parse(body);
  if (problem === null) return [`a refusal that is no JSON: ${body.toString().slice(0, 100)}`];
  const faults = judgeProblemMembers(problem, headers['x-request-id'], status === 503 ? undefined : code);
  if (problem['status'] !== status) faults.push('another status in the body');
  const isProblem = (headers['content-type'] ?? '').startsWith('application/problem+json');
  return isProblem ? faults : [...faults, 'a refusal that is no problem+json'];
}

function judgeReceipt({ status, headers, body }: RawAnswer, run: RunRecord): string[] {
  const receipt = parse(body);
  if (receipt === null) return ['a receipt that is no JSON'];
  const id = String(receipt['deliveryId']);
  return [
    ...judgeReceiptMembers(receipt, run, status === 200),
    ...faultsOf([
      [headers['location'] === `/v1/deliveries/${id}`, 'no Location'],
      [(headers['content-type'] ?? '').startsWith('application/json'), 'a receipt that is no JSON'],
    ]),
  ];
}

export function parse(body: Buffer): Json | null {
  try {
    const json: unknown = JSON.parse(body.toString());
    return typeof json === 'object' && json !== null ? (json as Json) : null;
  } catch {
    return null;
  }
}

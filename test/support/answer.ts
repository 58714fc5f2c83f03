// Assertions on whole responses: status, header fields by name, and body; refusals also in RFC 9457's format.
import { expect } from 'vitest';

export type Answer = { status: number; headers: Record<string, unknown>; body: unknown };

export type Problem = {
  status: number;
  code: string;
  title: string;
  detail: string;
  errors?: { pointer: string; detail: string }[];
  /** Header fields besides those of every problem. */
  headers?: Record<string, unknown>;
};

const SECURITY = [
  'cache-control',
  'content-security-policy',
  'cross-origin-resource-policy',
  'referrer-policy',
  'x-content-type-options',
  'x-frame-options',
];
const ALWAYS = ['connection', 'content-length', 'content-type', 'date', 'x-request-id', ...SECURITY];

/** Asserts a whole refusal. @returns its request id */
export function expectProblem(answer: Answer, { headers: further = {}, ...members }: Problem): string {
  // RFC 9110 requires a challenge with every 401.
  const headers = { ...(members.status === 401 && { 'www-authenticate': 'Signature' }), ...further };
  const requestId = String(answer.headers['x-request-id']);
  expect(answer).toMatchObject({
    status: members.status,
    body: { ...members, type: `urn:runstate-bridge:problem:${members.code}`, requestId },
    headers: { 'content-type': 'application/problem+json; charset=utf-8', ...headers },
  });
  const names = ['type', 'title', 'status', 'detail', 'code', 'requestId', ...(members.errors ? ['errors'] : [])];
  expect(Object.keys(answer.body as object).sort()).toEqual(names.sort());
  expectHeaders(answer, Object.keys(headers));
  return requestId;
}

/** Asserts that there are exactly these header fields besides those of every response. */
export function expectHeaders({ headers }: Pick<Answer, 'headers'>, further: string[] = []): void {
  expect(Object.keys(headers).sort()).toEqual([...ALWAYS, ...further].sort());
  expect(String(headers['x-request-id'])).toMatch(/^[\w.-]{1,64}$/);
  expect(Math.abs(Date.parse(String(headers['date'])) - Date.now())).toBeLessThan(60_000);
}

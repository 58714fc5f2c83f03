// A hostile case: what goes over the wire step by step, and what may come back; and how its requests are put together.
import { pick, wholeNumber, type Random } from '../../src/sandbox/random.ts';
import { sign, type SignatureHeaders, type Signing } from '../support/device.ts';
import type { HangUp } from './hang-ups.ts';
import type { RunRecord } from './rules.ts';

/** What one answer may be. */
export type Expected = {
  statuses: readonly number[];
  /** The one code a refusal may have; any documented one of its status where it is not said. */
  code?: string;
  /** What a 200 or 202 has stored; null where it must not be either. */
  stores: RunRecord | null;
  /** Whose that is then, if not `default`’s. */
  tenant?: string;
  /** The request id that the answer repeats, where the request got so far. */
  requestId?: string;
  /** What a batch that is answered at all holds, one for each entry. */
  entries?: readonly EntryExpected[];
};

/** What one entry of a batch may be told. */
export type EntryExpected = {
  /** What a receipt has stored; null where it must be refused. */
  stores: RunRecord | null;
  /** The code of its refusal. */
  code?: string;
  /** Whether a receipt says it is known; not said where either is right. */
  duplicate?: boolean;
};

export type Step = {
  bytes: Buffer;
  /** One for each answer, in order. */
  answers: readonly Expected[];
  /**
   * `keep`: the next step uses the same connection · `end`: when the answers are there the sender hangs up, and nothing
   * more may come · `cut`: the sender hangs up at once, and may not be answered at all.
   */
  then: 'keep' | 'end' | 'cut';
  /** Sent instead of bytes: it asks for the delivery of the last receipt. */
  ask?: Ask;
};

/** A request for a delivery whose id is known only when it is sent. */
export type Ask = { query: string; headers: readonly HeaderField[]; signing: Signing | null };

export type Case = {
  family: string;
  name: string;
  steps: readonly Step[];
  /** Instead of steps: whoever sends this hangs up on a connection of its own; the run may be stored. */
  hangUp?: { bytes: Buffer; run: RunRecord | null; how: HangUp };
};

/** Dice of its own for each case, an id nobody else has, and the time at which it is signed. */
export type Dice = { random: Random; id: string; nowS: number };

export type Family = (dice: Dice) => Case;

export const PATH = '/v1/run-results';

/** What a sender may be told who is wrong about HTTP itself. */
export const BROKEN: Expected = { statuses: [400, 408, 413, 414, 415, 431], stores: null };
/** Any refusal of a request. */
export const REFUSED: Expected = { statuses: [400, 401, 403, 404, 405, 408, 413, 414, 415, 422, 431], stores: null };

export const refusal = (status: number, code: string): Expected => ({ statuses: [status], code, stores: null });
export const stored = (run: RunRecord | null): Expected =>
  run === null ? REFUSED : { statuses: [200, 202], stores: run };
/** Either is right, but never something else than this. */
export const perhaps = (run: RunRecord): Expected => ({ statuses: [...REFUSED.statuses, 200, 202], stores: run });

export type HeaderField = readonly [name: string, value: string];

export type Message = {
  method?: string;
  path?: string;
  version?: string;
  headers: readonly HeaderField[];
  body?: Buffer | string;
};

/** The bytes of a request, with exactly these header fields; nothing is added, checked or mended. */
export function toBytes({ method = 'POST', path = PATH, version = 'HTTP/1.1', headers, body = '' }: Message): Buffer {
  const head = [`${method} ${path} ${version}`, ...headers.map(([name, value]) => `${name}: ${value}`), '', ''];
  // One byte for each character below 256: a header may hold any byte.
  return Buffer.concat([Buffer.from(head.join('\r\n'), 'latin1'), Buffer.from(body)]);
}

export const HOST: HeaderField = ['Host', 'bridge.example'];
export const JSON_TYPE: HeaderField = ['Content-Type', 'application/json'];

export function signatureFields(signing: Signing): HeaderField[] {
  return Object.entries(sign(signing) satisfies SignatureHeaders);
}

export const lengthOf = (body: Buffer | string): HeaderField => ['Content-Length', String(Buffer.byteLength(body))];
export const requestIdOf = (id: string): HeaderField => ['X-Request-Id', id];

/** A submission as a device sends it, signed for this body. */
export function submission(
  body: Buffer | string,
  { id, deviceId, nowS }: { id: string; deviceId: string; nowS: number },
): Buffer {
  const headers = [
    HOST,
    JSON_TYPE,
    requestIdOf(id),
    lengthOf(body),
    ...signatureFields({ body, deviceId, createdS: nowS }),
  ];
  return toBytes({ headers, body });
}

type SingleCase = { family: string; name: string; bytes: Buffer; expected: Expected };

/** One case of one step whose connection goes on. */
export const single = ({ family, name, bytes, expected }: SingleCase): Case => ({
  family,
  name,
  steps: [{ bytes, answers: [expected], then: 'keep' }],
});

export const chance = (random: Random, share: number): boolean => random() < share;

export function bytesOf(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => wholeNumber(random, 0, 255)));
}

const ALPHABET = [
  'a',
  'Z',
  '0',
  ' ',
  '"',
  "'",
  '\\',
  '/',
  '\u0000',
  '\u0007',
  '\r\n',
  '\u007f',
  'é',
  '設',
  '😀',
  '\ud800',
  '\udc00',
  '\u2028',
  '\ufeff',
  '\u202e',
  '${7*7}',
  '{{x}}',
  '<script>',
  '%00',
  '../',
  "');--",
] as const;

/** Text no vendor's password form is found in. */
export function awkwardText(random: Random, most: number): string {
  return Array.from({ length: wholeNumber(random, 0, most) }, () => pick(random, ALPHABET)).join('');
}

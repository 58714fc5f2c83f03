// POST /v1/run-results/batch: many run results signed as a whole; each is answered for itself, in order.
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { RequestHandler } from 'express';
import type { Refusal, RefusalCode } from '../domain/refusal.ts';
import type { BatchAnswer } from './answers.ts';
import { decodeUtf8, parseJson } from './json.ts';
import { hasMoreValues } from './json-values.ts';
import { Refused, toProblem } from './problem.ts';
import { beginSubmissions, type SubmissionParts, type Submissions } from './submission.ts';
import { submitterOf, type Submitter } from './submitter.ts';

/** One entry of a batch, answered. */
export type EntryTold = {
  requestId: string;
  entry: number;
  deviceId: string | null;
  deliveryId: string | null;
  duplicate: boolean;
  refusal: Refusal | null;
};

export type BatchParts = SubmissionParts & {
  /** What a single run result may have; here, the texts of an entry. */
  maxBodyBytes: number;
  maxBatchBytes: number;
  onEntry: (told: EntryTold) => void;
};

export const MAX_ENTRIES = 1000;
/** Of all entries together; a run result of known members has a dozen. */
const MAX_VALUES = 250_000;

const NDJSON_TYPES = ['application/x-ndjson', 'application/ndjson'];

/** What is expected of the body. */
export const BATCH = {
  types: ['application/json', ...NDJSON_TYPES],
  codings: ['gzip'],
  hint: 'send application/json or application/x-ndjson in UTF-8, with no content coding or gzip',
};

/** Refused to every entry for one of these, a batch is refused as a whole: all of it is to be sent again later. */
const FOR_ALL: readonly RefusalCode[] = ['queue-unavailable', 'backlog-full', 'too-fast'];

const inflate = promisify(gunzip);

export function postBatch(parts: BatchParts): RequestHandler {
  return async (req, res) => {
    const body = req.body as Buffer;
    const caller = submitterOf(res, parts.callers, body);
    const isGzip = res.locals['coding'] === 'gzip';
    const content = isGzip ? await decompress(body, parts.maxBatchBytes) : body;
    const entries = parseEntries(content, req.is(NDJSON_TYPES) !== false);
    const submissions = beginSubmissions(parts, caller, res);
    if (caller.kind === 'device') await submissions.keepRate(caller.deviceId);
    const answers = await Promise.all(entries.map((entry) => submit(entry, submissions, caller, parts.maxBodyBytes)));
    const { requestId } = res.locals as { requestId: string };
    const refusals = answers.flatMap(({ refusal }) => refusal ?? []);
    const retryAfterS = Math.max(0, ...refusals.map((refusal) => refusal.retryAfterS ?? 0));
    const [first] = refusals;
    if (first && refusals.length === answers.length && refusals.every(({ code }) => FOR_ALL.includes(code))) {
      throw new Refused({ ...first, retryAfterS });
    }
    answers.forEach(({ refusal, receipt, deviceId }, entry) => {
      const { deliveryId = null, duplicate = false } = receipt ?? {};
      parts.onEntry({ requestId, entry, deviceId, deliveryId, duplicate, refusal });
    });
    if (retryAfterS > 0) res.setHeader('Retry-After', String(Math.ceil(retryAfterS)));
    const told: BatchAnswer = answers.map(({ receipt, refusal }) =>
      refusal ? toProblem(refusal, requestId) : receipt,
    );
    res.json(told);
  };
}

type Answered = { deviceId: string | null } & (
  { receipt: Awaited<ReturnType<Submissions['store']>>; refusal: null } | { receipt: null; refusal: Refusal }
);

/** A line that is no JSON is refused for itself. */
type Entry = { json: unknown } | { refused: Refused };

async function submit(
  entry: Entry,
  submissions: Submissions,
  submitter: Submitter,
  maxTextLength: number,
): Promise<Answered> {
  let deviceId = submitter.kind === 'device' ? submitter.deviceId : null;
  try {
    if ('refused' in entry) throw entry.refused;
    requireShortTexts(entry.json, maxTextLength);
    const run = submissions.parse(entry.json);
    deviceId = run.deviceId;
    if (submitter.kind === 'relay') await submissions.keepRate(deviceId);
    return { deviceId, receipt: await submissions.store(run), refusal: null };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { deviceId, receipt: null, refusal: error.refusal };
  }
}

/** Output and error, which nothing else bounds. @throws Refused */
function requireShortTexts(json: unknown, maxLength: number): void {
  const { output = '', error = '' } = (json ?? {}) as { output?: unknown; error?: unknown };
  const texts = [output, error].filter((text) => typeof text === 'string');
  if (texts.reduce((sum, text) => sum + text.length, 0) <= maxLength) return;
  throw new Refused({ code: 'too-large', detail: 'the run result is larger than this service accepts' });
}

function parseEntries(content: Buffer, isNdjson: boolean): Entry[] {
  if (hasMoreValues(content, MAX_VALUES)) {
    throw new Refused({ code: 'too-large', detail: `a batch holds at most ${MAX_VALUES} values in all` });
  }
  const entries = isNdjson ? parseLines(decodeUtf8(content)) : parseArray(content);
  if (entries.length > MAX_ENTRIES) {
    throw new Refused({ code: 'too-large', detail: `a batch holds at most ${MAX_ENTRIES} run results` });
  }
  return entries;
}

function parseArray(content: Buffer): Entry[] {
  const json = parseJson(content);
  if (!Array.isArray(json)) {
    throw new Refused({
      code: 'invalid-request',
      detail: 'see errors',
      faults: [{ pointer: '', detail: 'must be an array of run results' }],
    });
  }
  return json.map((one: unknown) => ({ json: one }));
}

/** Empty lines are none, however many. Reads no further than one line too many. */
function parseLines(text: string): Entry[] {
  const entries: Entry[] = [];
  let at = 0;
  while (at < text.length && entries.length <= MAX_ENTRIES) {
    const found = text.indexOf('\n', at);
    const end = found === -1 ? text.length : found;
    const line = text.slice(at, end);
    if (/[^ \t\r]/.test(line)) entries.push(parseLine(line));
    at = end + 1;
  }
  return entries;
}

function parseLine(line: string): Entry {
  try {
    return { json: JSON.parse(line) as unknown };
  } catch {
    return { refused: new Refused({ code: 'invalid-json', detail: 'the line is not JSON' }) };
  }
}

async function decompress(body: Buffer, maxBytes: number): Promise<Buffer> {
  try {
    return await inflate(body, { maxOutputLength: maxBytes });
  } catch (error) {
    const isLarge = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
    throw isLarge
      ? new Refused({ code: 'too-large', detail: 'the content is larger than this service accepts' })
      : new Refused({ code: 'bad-request', detail: 'the content is not what its coding says' });
  }
}

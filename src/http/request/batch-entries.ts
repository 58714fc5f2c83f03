// Parses a batch: decompressed, split into entries, each read as a run result or refused on its own.
import { setImmediate as othersTurn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { decodeUtf8, parseJson } from './json.ts';
import { hasMoreValues } from './json-values.ts';
import { Refused } from '../response/problem.ts';
import { parseSubmission, type Submission } from './submission.ts';
import type { Submitter } from './submitter.ts';

export const MAX_ENTRIES = 1000;
/** Limit for all entries together; a run result has about a dozen values. */
const MAX_VALUES = 250_000;

const inflate = promisify(gunzip);

/** @throws Refused if it is in neither form, or too large */
export function parseEntries(content: Buffer, isNdjson: boolean): Entry[] {
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

/** Skips empty lines. Stops after one line more than a batch may have. */
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

/** @throws Refused */
export async function decompress(body: Buffer, maxBytes: number): Promise<Buffer> {
  try {
    return await inflate(body, { maxOutputLength: maxBytes });
  } catch (error) {
    const isLarge = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
    throw isLarge
      ? new Refused({ code: 'too-large', detail: 'the content is larger than this service accepts' })
      : new Refused({ code: 'bad-request', detail: 'the content is not what its coding says' });
  }
}

/** A line that is not JSON is refused on its own. */
export type Entry = { json: unknown } | { refused: Refused };

export type Read = Submission | { refused: Refused };

export type ReadParts = {
  isRevoked: (deviceId: string) => boolean;
  /** Limit of a single run result; in a batch, of the texts of an entry. */
  maxBodyBytes: number;
};

/** Yields to the event loop after this many characters: masking passwords is CPU-bound. */
const READ_AT_ONCE = 262_144;

/** Reads entries as what this submitter may submit. */
export async function readEntries(entries: readonly Entry[], submitter: Submitter, parts: ReadParts): Promise<Read[]> {
  const read: Read[] = [];
  let length = 0;
  for (const entry of entries) {
    const ownLength = 'json' in entry ? lengthOfTexts(entry.json) : 0;
    length += ownLength;
    if (length > READ_AT_ONCE) {
      await othersTurn();
      length = ownLength;
    }
    read.push(readEntry(entry, submitter, parts));
  }
  return read;
}

function readEntry(entry: Entry, submitter: Submitter, { maxBodyBytes, isRevoked }: ReadParts): Read {
  try {
    if ('refused' in entry) return entry;
    if (lengthOfTexts(entry.json) > maxBodyBytes) {
      throw new Refused({ code: 'too-large', detail: 'the run result is larger than this service accepts' });
    }
    return parseSubmission(entry.json, submitter, isRevoked);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { refused: error };
  }
}

/** Length of output and error, the only texts without a limit of their own. */
function lengthOfTexts(json: unknown): number {
  const { output = '', error = '' } = (json ?? {}) as { output?: unknown; error?: unknown };
  return [output, error].reduce((sum: number, text) => sum + (typeof text === 'string' ? text.length : 0), 0);
}

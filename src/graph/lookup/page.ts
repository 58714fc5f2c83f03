// Parses a page of a listing: its records and next link, or why it cannot be read.
import type { RecordedState } from '../../domain/attempt/matching-records.ts';

export type Page = {
  records: RecordedState[];
  /** The next page; null if this is the last one, or if the link is unusable. */
  next: string | null;
  /** What part of the listing cannot be read because of this page; null if nothing is missing. */
  unread: string | null;
};

/** The link may have to be stored until a later lookup. */
const LONGEST_LINK = 8 * 1024;

/**
 * Never throws. Skips anything among the records that is not a record, and members of the wrong type.
 * @param json the parsed body
 * @param requestUrl where it was read from: absolute, https
 * @returns null if it is not a page at all
 */
export function readPage(json: unknown, requestUrl: string): Page | null {
  if (!isObject(json)) return null;
  const { value } = json;
  const link = json['@odata.nextLink'] ?? json['@nextLink'] ?? null;
  const next = link === null || link === '' ? null : resolveLink(link, requestUrl, json['@odata.context']);
  if (!Array.isArray(value)) return next === null ? null : { records: [], next, unread: 'a page without a list' };
  const records = value.filter(isObject).map(readRecord);
  const isLost = next === null && link !== null && link !== '';
  return { records, next, unread: isLost ? 'the link to the next page cannot be followed' : null };
}

/**
 * Relative links are relative to the context, or otherwise to the request (OData JSON Format 4.01 §4.3); some services mean
 * the request even if they give a context. The token is never sent to any origin but Graph's own.
 */
function resolveLink(link: unknown, requestUrl: string, context: unknown): string | null {
  if (typeof link !== 'string' || link.length > LONGEST_LINK) return null;
  const request = new URL(requestUrl);
  const bases = [
    typeof context === 'string' ? (URL.parse(context, requestUrl)?.href ?? requestUrl) : requestUrl,
    requestUrl,
  ];
  const urls = bases
    .map((base) => URL.parse(link, base))
    .filter((url) => url !== null)
    .filter(({ origin, username, password }) => origin === request.origin && username === '' && password === '');
  const url = urls.find(({ pathname }) => pathname === request.pathname) ?? urls[0];
  if (!url) return null;
  url.hash = '';
  return url.href;
}

const TEXTS = [
  'id',
  'deviceName',
  'osVersion',
  'upn',
  'lastStateUpdateDateTime',
  'configurationState',
  'configurationOutput',
  'configurationError',
] as const satisfies (keyof RecordedState)[];

function readRecord(entry: Record<string, unknown>): RecordedState {
  const record: RecordedState = {};
  for (const member of TEXTS) {
    const text = entry[member];
    if (typeof text === 'string') record[member] = text;
  }
  const version = entry['internalVersion'];
  // Some services write all numbers as text.
  const number = typeof version === 'string' && /^-?\d{1,10}$/.test(version) ? Number(version) : version;
  if (typeof number === 'number') record.internalVersion = number;
  return record;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

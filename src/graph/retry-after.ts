// Parses how long a response asks to wait: Retry-After in every format, and equivalent headers.

/** RFC 9110 §5.6.7: the preferred form, the obsolete one of RFC 850, and asctime's, which has no zone. */
const DATE =
  /[a-z]{3,9}, ?\d{1,2}[ -][a-z]{3}[ -]\d{2,4} \d{1,2}:\d{2}:\d{2}(?: (?:GMT|UTC|[+-]\d{4}))?|[a-z]{3} [a-z]{3} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}/gi;
const ZONE = /(?:GMT|UTC|[+-]\d{4})$/i;
const NUMBER = /^"?(\d+(?:\.\d*)?)"?$/;
/** Sent by Microsoft's services in addition to Retry-After or instead of it. */
const IN_MILLISECONDS = ['retry-after-ms', 'x-ms-retry-after-ms'];
/** About 31,000 years: longer waits are capped, since instants further away cannot be represented. */
const LONGEST_MS = 1e15;

/**
 * @param headers of the response
 * @param inBody Intune's wait from the body, null if there is none
 * @param now milliseconds since 1970
 * @returns whether a wait was requested at all, and the longest readable one in milliseconds
 */
export function readWait(
  headers: Pick<Headers, 'get'>,
  inBody: string | null,
  now: number,
): { asked: boolean; ms: number | null } {
  const seconds = [headers.get('retry-after') ?? inBody].filter(isSaid);
  const milliseconds = IN_MILLISECONDS.map((name) => headers.get(name)).filter(isSaid);
  const waits = [
    ...seconds.map((value) => parseRetryAfter(value, headers.get('date'), now)),
    ...milliseconds.map((value) => longest(numbersIn(value))),
  ];
  return { asked: seconds.length + milliseconds.length > 0, ms: longest(waits.filter((wait) => wait !== null)) };
}

/**
 * Parses Retry-After: seconds, also fractional, or an HTTP date (RFC 9110 §10.2.3), relative to the response's own Date if
 * present, since clocks differ. Of several values, in one field or in several, the largest counts.
 * @returns milliseconds, or null if there is none that can be read
 */
export function parseRetryAfter(value: string | null, dateHeader: string | null, now: number): number | null {
  if (value === null) return null;
  const sentAt = parseDate(dateHeader ?? '');
  const until = Array.from(value.matchAll(DATE), ([date]) => parseDate(date)).filter((at) => !Number.isNaN(at));
  const untilDates = until.map((at) => Math.max(0, at - (Number.isNaN(sentAt) ? now : sentAt)));
  const numbers = numbersIn(value.replaceAll(DATE, '')).map((seconds) => seconds * 1000);
  return longest([...untilDates, ...numbers]);
}

const isSaid = (value: string | null): value is string => value !== null && value.trim() !== '';

function numbersIn(value: string): number[] {
  return value.split(',').flatMap((part) => NUMBER.exec(part.trim())?.slice(1).map(Number) ?? []);
}

const longest = (waits: number[]): number | null =>
  waits.length === 0 ? null : Math.min(LONGEST_MS, Math.ceil(Math.max(...waits)));

const parseDate = (text: string): number => Date.parse(ZONE.test(text) ? text : `${text} GMT`);

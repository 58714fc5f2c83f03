// Instants in the form devices and Graph use: RFC 3339 with an offset, compared to 100 ns, preserved character by character.

const LOCAL_TIME = /(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d{1,7}))?/
  .source;
const RFC_3339 = new RegExp(String.raw`^${LOCAL_TIME}(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$`);

/** What .NET's DateTimeOffset can represent: no year 0, and an offset of at most 14 hours. */
const HELD = new RegExp(String.raw`^(?!0000)${LOCAL_TIME}(Z|[+-](?:(?:0\d|1[0-3]):[0-5]\d|14:00))$`);
/** Local times that an offset may shift out of the range in UTC. */
const AT_THE_EDGE = /^(?:0001-01-01|9999-12-31)T.*[+-]/;

/** For validation elsewhere, such as in a JSON schema. */
export const INSTANT_PATTERN = HELD.source;

const TICKS_PER_MS = 10_000n;
const DIGITS_OF_A_TICK = 7;
const DAYS_OF_ANY_MONTH = 28;

/** An instant, and how many fractional digits its text had. */
export type Instant = { ticks: bigint; fractionDigits: number };

/**
 * Parses an RFC 3339 date-time with offset and at most 7 fractional digits (100 ns, the precision of .NET's DateTimeOffset).
 * @returns the instant in 100 ns ticks since 1970, or null if the text is not such a date-time (nor are leap seconds, which
 * Graph cannot store)
 */
export function parseInstant(text: string): Instant | null {
  const match = matchInstant(text);
  if (!match) return null;
  const [, year, month, day, hour, minute, second, fraction = '', offset] = match;
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}${offset}`);
  const ticks = BigInt(ms) * TICKS_PER_MS + BigInt(fraction.padEnd(DIGITS_OF_A_TICK, '0'));
  return { ticks, fractionDigits: fraction.length };
}

/**
 * Why Graph could not store an instant as a .NET DateTimeOffset: from 0001-01-01T00:00:00Z to the end of 9999-12-31 in UTC,
 * with an offset of up to 14 hours. Null if it can. Cheaper than parsing.
 */
export function faultOfInstant(text: string): string | null {
  if (!matchInstant(text)) return 'must be an RFC 3339 date-time with offset and at most 7 fractional digits';
  if (!HELD.test(text)) {
    return text.startsWith('0000') ? 'must have a year from 0001 to 9999' : 'must have an offset from -14:00 to +14:00';
  }
  const isHeld = !AT_THE_EDGE.test(text) || /^(?:000[1-9]|9999)-/.test(new Date(text).toISOString());
  return isHeld ? null : 'must have a year from 0001 to 9999 in UTC too';
}

function matchInstant(text: string): RegExpExecArray | null {
  const match = RFC_3339.exec(text);
  if (!match) return null;
  const [, year, month, day] = match.map(Number);
  return (day ?? 0) <= DAYS_OF_ANY_MONTH || (day ?? 0) <= daysIn(year ?? 0, month ?? 0) ? match : null;
}

/**
 * Whether a record's instant is the one a device reported: `exact` to 100 ns; `truncated` if the record has fewer digits of
 * the same instant, cut off or rounded (a store with milliseconds or seconds); otherwise `different`.
 */
export function compareInstants(reported: string, recorded: string): 'exact' | 'truncated' | 'different' {
  const ours = parseInstant(reported);
  const theirs = parseRecordedInstant(recorded);
  if (!ours || !theirs) return reported === recorded ? 'exact' : 'different';
  if (ours.ticks === theirs.ticks) return 'exact';
  const digits = keptDigits(theirs);
  const unit = 10n ** BigInt(DIGITS_OF_A_TICK - digits);
  const lost = ours.ticks - theirs.ticks;
  return digits < ours.fractionDigits && lost < unit && lost * -2n <= unit ? 'truncated' : 'different';
}

/** Services may write instants in lower case, without an offset (meaning UTC), and with any number of digits. */
export function parseRecordedInstant(text: string): Instant | null {
  const [, date, time, fraction = '', offset = 'Z'] = RECORDED.exec(text) ?? [];
  if (date === undefined) return null;
  const zone = offset.toUpperCase().replace(/^([+-]\d\d)(\d\d)$/, '$1:$2');
  return parseInstant(`${date}T${time}${fraction.slice(0, DIGITS_OF_A_TICK + 1)}${zone}`);
}

const RECORDED = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(\.\d+)?([Zz]|[+-]\d\d:?\d\d)?$/;

/** How many of the displayed digits a store really keeps: seconds and milliseconds may be padded with zeros. */
function keptDigits({ ticks, fractionDigits }: Instant): number {
  if (ticks % (TICKS_PER_MS * 1000n) === 0n) return 0;
  return ticks % TICKS_PER_MS === 0n ? Math.min(3, fractionDigits) : fractionDigits;
}

let latest = { at: NaN, text: '' };

/** An instant as in responses and logs: UTC with milliseconds. Cached, as many lines are written within one millisecond. */
export function writeInstant(ms: number): string {
  if (ms !== latest.at) latest = { at: ms, text: new Date(ms).toISOString() };
  return latest.text;
}

function daysIn(year: number, month: number): number {
  return new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate();
}

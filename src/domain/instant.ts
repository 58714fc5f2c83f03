// Instants as devices and Graph write them: RFC 3339 with an offset, compared to 100 ns, kept character by character.

const RFC_3339 =
  /^(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d{1,7}))?(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

/** For those who check such a text elsewhere. */
export const INSTANT_PATTERN = RFC_3339.source;

const TICKS_PER_MS = 10_000n;
const DIGITS_OF_A_TICK = 7;
const DAYS_OF_ANY_MONTH = 28;

/** An instant, and how many digits of a second its text carried. */
export type Instant = { ticks: bigint; fractionDigits: number };

/**
 * Reads an RFC 3339 date-time with offset and at most 7 fractional digits (100 ns, what .NET's DateTimeOffset holds).
 * @returns the instant in 100 ns ticks since 1970, or null where the text is no such date-time (leap seconds included:
 * Graph has no room for them).
 */
export function parseInstant(text: string): Instant | null {
  const match = matchInstant(text);
  if (!match) return null;
  const [, year, month, day, hour, minute, second, fraction = '', offset] = match;
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}${offset}`);
  const ticks = BigInt(ms) * TICKS_PER_MS + BigInt(fraction.padEnd(DIGITS_OF_A_TICK, '0'));
  return { ticks, fractionDigits: fraction.length };
}

/** Whether it can be read as an instant; costs less than to read it. */
export function isInstant(text: string): boolean {
  return matchInstant(text) !== null;
}

function matchInstant(text: string): RegExpExecArray | null {
  const match = RFC_3339.exec(text);
  if (!match) return null;
  const [, year, month, day] = match.map(Number);
  return (day ?? 0) <= DAYS_OF_ANY_MONTH || (day ?? 0) <= daysIn(year ?? 0, month ?? 0) ? match : null;
}

/**
 * Whether a record's instant is the one a device reported: `exact` to 100 ns, `truncated` where the record only says
 * less of the same instant (a store that keeps milliseconds), else `different`.
 */
export function compareInstants(reported: string, recorded: string): 'exact' | 'truncated' | 'different' {
  const ours = parseInstant(reported);
  const theirs = parseInstant(recorded);
  if (!ours || !theirs) return reported === recorded ? 'exact' : 'different';
  if (ours.ticks === theirs.ticks) return 'exact';
  const unit = 10n ** BigInt(DIGITS_OF_A_TICK - theirs.fractionDigits);
  const lost = ours.ticks - theirs.ticks;
  return theirs.fractionDigits < ours.fractionDigits && lost > 0n && lost < unit ? 'truncated' : 'different';
}

let latest = { at: NaN, text: '' };

/** An instant as answers and the log write it: UTC, with milliseconds. The latest is kept at hand, for many tell of the same. */
export function writeInstant(ms: number): string {
  if (ms !== latest.at) latest = { at: ms, text: new Date(ms).toISOString() };
  return latest.text;
}

function daysIn(year: number, month: number): number {
  return new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate();
}

// Edm.DateTimeOffset as .NET parses and formats it: 100 ns ticks, a required offset, `Z` in output.

const ticksPerMs = 10_000n;
const shape = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,7}))?(Z|([+-])(\d\d):(\d\d))$/;
const largestOffsetMinutes = 14 * 60;

/** The instant in 100 ns ticks since 1970-01-01T00:00:00Z, or undefined if the text is not a DateTimeOffset. */
export function parseDateTimeOffset(text: string): bigint | undefined {
  const match = shape.exec(text);
  if (match === null) return undefined;
  const [, local = '', fraction = '', , sign = '+', hours = '0', minutes = '0'] = match;
  const localMs = Date.parse(`${local}Z`);
  const isRealDate = Number.isFinite(localMs) && new Date(localMs).toISOString().startsWith(local);
  const offsetMinutes = Number(hours) * 60 + Number(minutes);
  if (!isRealDate || local.startsWith('0000') || Number(minutes) > 59 || offsetMinutes > largestOffsetMinutes) {
    return undefined;
  }
  const utcMs = localMs - (sign === '-' ? -offsetMinutes : offsetMinutes) * 60_000;
  return BigInt(utcMs) * ticksPerMs + BigInt(fraction.padEnd(7, '0'));
}

/** The instant in UTC with no more fraction digits than needed: the same moment, but often other characters. */
export function formatDateTimeOffset(ticks: bigint): string {
  const ticksPerSecond = 10_000_000n;
  const fractionTicks = ((ticks % ticksPerSecond) + ticksPerSecond) % ticksPerSecond;
  const seconds = new Date(Number((ticks - fractionTicks) / ticksPerMs)).toISOString().slice(0, 19);
  const fraction = fractionTicks.toString().padStart(7, '0').replace(/0+$/, '');
  return fraction === '' ? `${seconds}Z` : `${seconds}.${fraction}Z`;
}

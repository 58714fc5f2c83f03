// Numbers, times and outcomes as people read them, with their units.

const count = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const finest = new Intl.NumberFormat('en', { maximumFractionDigits: 2 });
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

/** @param {number} number */
export const toCount = (number) => count.format(number);
/** @param {number} share 0 to 1 */
export const toPercent = (share) => `${count.format(share * 100)} %`;
/** @param {string | number} instant */
export const toTime = (instant) => clock.format(new Date(instant));
/** @param {number} perSecond */
export const toRate = (perSecond) => (perSecond > 0 && perSecond < 1 ? finest : fine).format(perSecond);

/**
 * A length of time in its two largest units at most.
 * @param {number} seconds
 */
export function toDuration(seconds) {
  if (seconds < 10) return `${fine.format(seconds)} s`;
  if (seconds < 120) return `${count.format(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${fine.format(minutes / 60 / 24)} days`;
}

/**
 * @param {string} instant
 * @param {string} now
 */
export function toAgo(instant, now) {
  const seconds = Math.max(0, (Date.parse(now) - Date.parse(instant)) / 1000);
  return seconds < 2 ? 'now' : `${toDuration(Math.round(seconds))} ago`;
}

/**
 * What became of a delivery, in a word or two.
 * @param {{ status: string, code?: string | null | undefined }} delivery
 */
export function toOutcome({ status, code }) {
  if (status !== 'dead') return status;
  return code ? `given up (${code})` : 'given up';
}

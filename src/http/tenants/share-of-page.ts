// How many entries of a page each of many tenants is asked for.

/** Even where one tenant has nearly all that is newest, a page then has this many. */
const LEAST = 10;
/** What is newest is not spread evenly. */
const TIMES_ITS_SHARE = 4;

/**
 * With few tenants each is asked for a whole page. With hundreds that would be to read hundreds of pages for one: each is
 * asked for a few, and a page may then have fewer entries than asked for although more follow.
 */
export function shareOfPage(limit: number, tenants: number): number {
  return Math.min(limit, Math.max(LEAST, Math.ceil((TIMES_ITS_SHARE * limit) / Math.max(1, tenants))));
}

// Everything Redis holds in the end, record by record, against what the rules made of what was sent.
import { isDeepStrictEqual } from 'node:util';
import { parseConfig } from '../../src/config/config.ts';
import type { Tenant } from '../../src/queue/tenant.ts';
import { openOwnTenant } from '../support/tenant.ts';
import { keyOf, type Promised } from './play.ts';

export type Checked = { records: number; violations: string[] };

const DELIVERY_KEY = /:(d[\w-]{22})$/;

/** @param env the API's own: what it stored is read as it would read it */
export async function checkStored(env: Record<string, string>, promised: Promised): Promise<Checked> {
  const tenant = await openOwnTenant(parseConfig(env, 'api'));
  const violations: string[] = [];
  const seen = new Set<string>();
  try {
    for (const id of await findIds(tenant)) {
      const run = (await tenant.deliveries.load(id))?.run ?? null;
      const promisedRun = promised.stored.get(id);
      const expected = promisedRun ? [promisedRun] : ((run && promised.possible.get(keyOf(run))) ?? []);
      seen.add(id);
      if (expected.length === 0) violations.push(`${id} is stored, and nobody was told so: ${show(run)}`);
      else if (!expected.some((one) => isDeepStrictEqual(normalise(run), normalise(one)))) {
        violations.push(`${id} is stored as ${show(run)} and was sent as ${show(expected)}`);
      }
    }
    for (const [id, run] of promised.stored) {
      if (!seen.has(id)) violations.push(`${id} was promised and is not stored: ${show(run)}`);
    }
    return { records: seen.size, violations };
  } finally {
    await tenant.close();
  }
}

async function findIds({ redis }: Tenant): Promise<string[]> {
  const ids: string[] = [];
  let cursor = '0';
  do {
    const [next, keys] = (await redis.call('SCAN', cursor, 'COUNT', '1000')) as [string, string[]];
    ids.push(...keys.flatMap((key) => DELIVERY_KEY.exec(key)?.[1] ?? []));
    cursor = next;
  } while (cursor !== '0');
  return [...new Set(ids)];
}

/** As JSON says it: nothing undefined, and -0 is 0. */
const normalise = (run: unknown): unknown => JSON.parse(JSON.stringify(run));

const show = (run: unknown) => JSON.stringify(run).slice(0, 300);

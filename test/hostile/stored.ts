// Everything Redis holds in the end, record by record, against what the rules made of what was sent.
import { isDeepStrictEqual } from 'node:util';
import { parseConfig } from '../../src/config/config.ts';
import type { Tenant } from '../../src/queue/tenant.ts';
import { openOwnTenant } from '../support/tenant.ts';
import { keyOf, prefixOf, type Promised } from './play.ts';
import { OTHERS } from './tenants.ts';

export type Checked = { records: number; violations: string[] };

const DELIVERY_KEY = /\{([^}]*)\}:(d[\w-]{22})$/;

/** @param env the API's own: what it stored is read as it would read it */
export async function checkStored(env: Record<string, string>, promised: Promised): Promise<Checked> {
  const checked: Checked[] = [];
  for (const tenant of [undefined, ...Object.keys(OTHERS)]) checked.push(await checkTenant(env, promised, tenant));
  return {
    records: checked.reduce((all, { records }) => all + records, 0),
    violations: checked.flatMap(({ violations }) => violations),
  };
}

/** @param name undefined for `default` */
async function checkTenant(
  env: Record<string, string>,
  promised: Promised,
  name: string | undefined,
): Promise<Checked> {
  const tenant = await openOwnTenant({ ...parseConfig(env, 'api'), ...(name !== undefined && { id: name }) });
  const prefix = prefixOf(name);
  const violations: string[] = [];
  const seen = new Set<string>();
  try {
    for (const id of await findIds(tenant, name)) {
      const run = (await tenant.deliveries.load(id))?.run ?? null;
      const promisedRun = promised.stored.get(`${prefix}${id}`);
      const expected = promisedRun ? [promisedRun] : ((run && promised.possible.get(keyOf(run, name))) ?? []);
      seen.add(`${prefix}${id}`);
      if (expected.length === 0) violations.push(`${id} is stored, and nobody was told so: ${show(run)}`);
      else if (!expected.some((one) => isDeepStrictEqual(normalise(run), normalise(one)))) {
        violations.push(`${id} is stored as ${show(run)} and was sent as ${show(expected)}`);
      }
    }
    for (const [id, run] of promised.stored) {
      const isIts = name === undefined ? !id.includes('/') : id.startsWith(prefix);
      if (!isIts) continue;
      if (!seen.has(id)) violations.push(`${id} was promised and is not stored: ${show(run)}`);
    }
    return { records: seen.size, violations };
  } finally {
    await tenant.close();
  }
}

async function findIds({ redis }: Tenant, name = 'default'): Promise<string[]> {
  const ids: string[] = [];
  let cursor = '0';
  do {
    const [next, keys] = (await redis.call('SCAN', cursor, 'COUNT', '1000')) as [string, string[]];
    for (const key of keys) {
      const [, tenant, id] = DELIVERY_KEY.exec(key) ?? [];
      if (id !== undefined && tenant === name) ids.push(id);
    }
    cursor = next;
  } while (cursor !== '0');
  return [...new Set(ids)];
}

/** As JSON says it: nothing undefined, and -0 is 0. */
const normalise = (run: unknown): unknown => JSON.parse(JSON.stringify(run));

const show = (run: unknown) => JSON.stringify(run).slice(0, 300);

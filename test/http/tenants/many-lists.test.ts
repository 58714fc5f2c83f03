// Lists of hundreds of tenants: a page reads little of each, and the pages together have everything once and in order.
import { beforeEach, expect, test } from 'vitest';
import { newestFirst, toListedAt } from '../../../src/domain/lists/delivery-list.ts';
import { inOrder, type DeviceReport } from '../../../src/domain/lists/device-list.ts';
import { eachPage, listDeliveries } from '../../../src/http/tenants/delivery-list.ts';
import { eachDevicePage, findReportedAt, listDevices } from '../../../src/http/tenants/device-list.ts';
import type { ServedTenant } from '../../../src/http/tenants/served-tenant.ts';
import { delivery } from '../../domain/sample.ts';

const TENANTS = 300;
const LIMIT = 50;
const MOST_READ = 3500;

let read = 0;
beforeEach(() => void (read = 0));

/** One tenant has most of what there is. */
const instantsOf = (tenant: number) =>
  Array.from({ length: tenant === 0 ? 400 : 20 }, (_, index) => 1000 * index + tenant).reverse();

/** A page of what is left after a position. */
function toPage<T>(left: readonly T[], limit: number) {
  const page = left.slice(0, limit);
  read += page.length;
  return { page, last: left.length > limit ? page.at(-1) : undefined };
}

function aTenant(number: number): ServedTenant {
  const deliveries = instantsOf(number).map((acceptedAt) => delivery({ id: `d${number}`, acceptedAt }));
  const reports = instantsOf(number).map((value) => ({
    position: { value, key: `${number}` },
    report: { reportedAt: value } as DeviceReport,
  }));
  const tenant: Pick<ServedTenant, 'now' | 'list'> & { reports: Pick<ServedTenant['reports'], 'list'> } = {
    now: () => 0,
    list: (_filter, limit, after) => {
      const left = deliveries.filter((one) => after === null || newestFirst(after, one) < 0);
      const { page, last } = toPage(left, limit);
      return Promise.resolve({ deliveries: page, next: last ? toListedAt(last) : null });
    },
    reports: {
      list: (_filter, limit, after) => {
        const left = reports.filter(({ position }) => after === null || inOrder(after, position) < 0);
        const { page, last } = toPage(left, limit);
        return Promise.resolve({ reports: page, next: last?.position ?? null });
      },
    },
  };
  return tenant as ServedTenant;
}

const tenants = Array.from({ length: TENANTS }, (_, number) => aTenant(number));
const expected = tenants.flatMap((_, number) => instantsOf(number)).toSorted((a, b) => b - a);

test('deliveries of 300 tenants · a page reads a few of each · and all pages have each once, the newest first', async () => {
  const query = { filter: { status: 'queued' as const }, limit: LIMIT, after: null };
  await listDeliveries(tenants, query);
  expect(read).toBeLessThanOrEqual(MOST_READ);
  const listed: number[] = [];
  for await (const page of eachPage(tenants, { ...query, limit: Infinity }, LIMIT))
    listed.push(...page.map(({ acceptedAt }) => acceptedAt));
  expect(listed).toEqual(expected);
});

test('devices of 300 tenants · a page reads a few of each · and all pages have each once, the newest first', async () => {
  const query = { filter: {}, silentForMs: undefined, limit: LIMIT, after: null };
  await listDevices(tenants, query);
  expect(read).toBeLessThanOrEqual(MOST_READ);
  const listed: number[] = [];
  for await (const page of eachDevicePage(tenants, { ...query, limit: Infinity }, LIMIT))
    listed.push(...page.map(({ reportedAt }) => reportedAt));
  expect(listed).toEqual(expected);
});

test('expected devices and 300 tenants · one question at a time · spellings that differ are asked for as well', async () => {
  let [questions, underWay, mostUnderWay] = [0, 0, 0];
  const known: Record<string, number> = { 'aaaaaaaa-0000-4000-8000-000000000000': 7, 'LAPTOP-1': 9 };
  const reportedAt: ServedTenant['reports']['reportedAt'] = async (ids) => {
    questions += 1;
    underWay += 1;
    mostUnderWay = Math.max(mostUnderWay, underWay);
    await Promise.resolve();
    underWay -= 1;
    return ids.map((id) => known[id] ?? null);
  };
  const asked = tenants.map((tenant) => ({ ...tenant, reports: { ...tenant.reports, reportedAt } }));
  const question = { deviceIds: ['LAPTOP-1', 'laptop-1'], hardwareConfigurationId: undefined };
  expect(await findReportedAt(asked, question)).toEqual([9, null]);
  expect({ questions, mostUnderWay }).toEqual({ questions: TENANTS, mostUnderWay: 1 });
  const deviceIds = ['LAPTOP-1', 'AAAAAAAA-0000-4000-8000-000000000000'];
  expect(await findReportedAt(asked, { ...question, deviceIds })).toEqual([9, 7]);
});

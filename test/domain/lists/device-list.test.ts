// Lists of devices from several tenants, of which some could not look through all they have at once.
import { expect, test } from 'vitest';
import {
  inOrder,
  mergeDevicePages,
  type DevicePosition,
  type ListedReport,
} from '../../../src/domain/lists/device-list.ts';
import { fc } from '../../support/properties.ts';

const aReport = (position: DevicePosition): ListedReport => ({
  position,
  report: {
    tenantId: 'contoso',
    deviceId: position.key,
    deviceName: null,
    hardwareConfigurationId: '11111111-2222-4333-8444-555555555555',
    reportedAt: position.value,
    state: 'fail',
    failuresInARow: 2,
    deliveryId: 'd',
    status: null,
  },
});

/** What a tenant has of a list: those that match, among those that have to be looked through. */
type Tenant = { position: DevicePosition; matches: boolean }[];

/** As a tenant's page: it ends early where too many do not match. */
function readPage(
  tenant: Tenant,
  { limit, after, looked }: { limit: number; after: DevicePosition | null; looked: number },
) {
  const left = tenant.filter(({ position }) => after === null || inOrder(after, position) < 0);
  const reports = [];
  for (const [index, { position, matches }] of left.entries()) {
    if (matches) reports.push(aReport(position));
    const isLast = index === left.length - 1;
    if (!isLast && (reports.length === limit || index + 1 === looked)) return { reports, next: position };
  }
  return { reports, next: null };
}

const tenants = fc
  .array(fc.tuple(fc.nat(2), fc.nat(9), fc.boolean()), { maxLength: 30 })
  .map((entries) =>
    entries.map(([tenant, value, matches], index) => ({
      tenant,
      entry: { position: { value, key: `device-${index}` }, matches },
    })),
  )
  .map((entries) =>
    [0, 1, 2].map((number) =>
      entries
        .filter(({ tenant }) => tenant === number)
        .map(({ entry }) => entry)
        .toSorted((a, b) => inOrder(a.position, b.position)),
    ),
  );

test('pages of several tenants, some of which end early · list · every device once and in order', () => {
  fc.assert(
    fc.property(tenants, fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 }), (all, limit, looked) => {
      const listed: string[] = [];
      let after: DevicePosition | null = null;
      do {
        const asked = { limit, after, looked };
        const page = mergeDevicePages(
          all.map((tenant) => readPage(tenant, asked)),
          limit,
        );
        expect(page.reports.length).toBeLessThanOrEqual(limit);
        listed.push(...page.reports.map(({ report }) => report.deviceId));
        after = page.next;
      } while (after !== null);
      const expected = all
        .flat()
        .filter(({ matches }) => matches)
        .map(({ position }) => position)
        .toSorted(inOrder);
      expect(listed).toEqual(expected.map(({ key }) => key));
    }),
  );
});

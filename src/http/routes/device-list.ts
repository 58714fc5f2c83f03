// GET /v1/devices: what devices reported last, silent and failing ones; POST /v1/devices/expected: which of a list are missing.
import express, { Router } from 'express';
import { z } from 'zod';
import { DEVICE_CSV } from '../../domain/lists/device-csv.ts';
import { LEAST_FAILURES_IN_A_ROW, parseDeviceCursor, toDeviceCursor } from '../../domain/lists/device-list.ts';
import type { DeviceReport } from '../../domain/lists/device-list.ts';
import { deviceIdSchema } from '../../domain/submission/run-result.ts';
import { operatorsOnly } from '../identity/operators-only.ts';
import type { Callers } from '../identity/callers.ts';
import { createAskQueue, type QueueParts } from '../request/ask-queue.ts';
import { EXPORTED_AT_ONCE, exportAskedFor, sendExport } from '../response/export.ts';
import type { DeviceListView, DeviceReportView, ExpectedDevicesView } from '../response/response-schemas.ts';
import { eachDevicePage, findReportedAt, listDevices, type DeviceQuery } from '../tenants/device-list.ts';
import type { ServedTenant, ServedTenants } from '../tenants/served-tenant.ts';
import { onlyTenantInQuery, tenantQuerySchema, tenantsAskedFor } from '../tenants/tenant-of.ts';
import { limitSchema, parse } from './operators.ts';

export type DeviceListParts = QueueParts & { callers: Callers; tenants: ServedTenants };

const HOUR_MS = 3_600_000;
/** Devices are forgotten after 400 days. */
const MAX_SILENT_H = 9600;
const MAX_EXPECTED = 1000;
/** A thousand ids of 128 characters. */
export const MAX_EXPECTED_BODY = '200kb';

const configuration = z
  .string()
  .min(1)
  .max(128)
  .transform((id) => id.toLowerCase())
  .optional();

const isHours = (text: string) =>
  /^\d{1,4}(\.\d{1,6})?$/.test(text) && Number(text) > 0 && Number(text) <= MAX_SILENT_H;
const isFailures = (text: string) => /^\d{1,6}$/.test(text) && Number(text) >= LEAST_FAILURES_IN_A_ROW;

export const deviceQuerySchema = z.strictObject({
  deviceId: z.string().min(1).max(128).optional().describe('Its last run result for each of its configurations.'),
  hardwareConfigurationId: configuration.describe('The last run results for this configuration.'),
  silentForH: z
    .string()
    .refine(isHours, `must be a number of hours, more than 0 and at most ${MAX_SILENT_H}`)
    .transform(Number)
    .optional()
    .meta({
      type: 'number',
      exclusiveMinimum: 0,
      maximum: MAX_SILENT_H,
      description: 'Those that reported before, but not within this many hours.',
    }),
  failuresInARow: z
    .string()
    .refine(isFailures, `must be a whole number from ${LEAST_FAILURES_IN_A_ROW} on`)
    .transform(Number)
    .optional()
    .meta({
      type: 'integer',
      minimum: LEAST_FAILURES_IN_A_ROW,
      description: 'Those whose last run results for a configuration failed, this many or more.',
    }),
  limit: limitSchema,
  cursor: z
    .string()
    .max(64)
    .refine((cursor) => parseDeviceCursor(cursor) !== null, 'is no nextCursor of this list')
    .optional()
    .describe('`nextCursor` of the page before.'),
  ...tenantQuerySchema.shape,
});

export const expectedSchema = z
  .strictObject({
    deviceIds: z.array(deviceIdSchema).min(1).max(MAX_EXPECTED),
    hardwareConfigurationId: configuration.describe('Only what was reported for this configuration counts.'),
    silentForH: z.number().positive().max(MAX_SILENT_H).optional(),
  })
  .meta({ id: 'ExpectedDevicesQuestion' });

export function createDeviceListRoutes(parts: DeviceListParts): Router {
  const { tenants, callers, onQueueTrouble } = parts;
  const router = Router({ caseSensitive: true });
  const only = operatorsOnly(callers);
  const askQueue = createAskQueue(parts);

  router.get('/v1/devices', only, async (req, res) => {
    const query = parse(deviceQuerySchema, req.query);
    const asked = tenantsAskedFor(req, res, tenants);
    const mediaType = exportAskedFor(req, res);
    if (mediaType === null) {
      res.json(await askQueue(readDevices(asked, query)));
      return;
    }
    // Without a limit, an export has all there is.
    const limit = req.query['limit'] === undefined ? Infinity : query.limit;
    const pages = eachDevicePage(asked, { ...toDeviceQuery(query), limit }, EXPORTED_AT_ONCE);
    const of = { name: 'devices', csv: DEVICE_CSV, toView, ask: askQueue, onTrouble: onQueueTrouble };
    await sendExport(req, res, { ...of, mediaType, pages });
  });
  router.post(
    '/v1/devices/expected',
    only,
    onlyTenantInQuery,
    express.json({ limit: MAX_EXPECTED_BODY }),
    async (req, res) => {
      const question = parse(expectedSchema, req.body);
      res.json(await askQueue(compareExpected(tenantsAskedFor(req, res, tenants), question)));
    },
  );
  return router;
}

/** A page of devices as operators see it. */
export async function readDevices(asked: readonly ServedTenant[], query: ParsedQuery): Promise<DeviceListView> {
  const { reports, next } = await listDevices(asked, toDeviceQuery(query));
  return { devices: reports.map(({ report }) => toView(report)), nextCursor: next && toDeviceCursor(next) };
}

/** Which of the expected devices are missing. */
export async function compareExpected(
  asked: readonly ServedTenant[],
  { deviceIds, hardwareConfigurationId, silentForH }: z.infer<typeof expectedSchema>,
): Promise<ExpectedDevicesView> {
  const found = await findReportedAt(asked, { deviceIds, hardwareConfigurationId });
  const silentSince = silentForH === undefined ? -Infinity : (asked[0]?.now() ?? 0) - silentForH * HOUR_MS;
  return {
    neverReported: deviceIds.filter((_, index) => found[index] === null),
    silent: deviceIds.flatMap((deviceId, index) => {
      const at = found[index] ?? Infinity;
      return at <= silentSince ? [{ deviceId, reportedAt: new Date(at).toISOString() }] : [];
    }),
  };
}

type ParsedQuery = z.infer<typeof deviceQuerySchema>;

function toDeviceQuery({ limit, cursor, silentForH, ...query }: ParsedQuery): DeviceQuery {
  const { deviceId, hardwareConfigurationId, failuresInARow } = query;
  return {
    filter: { deviceId, hardwareConfigurationId, failuresInARow },
    silentForMs: silentForH === undefined ? undefined : silentForH * HOUR_MS,
    limit,
    after: cursor === undefined ? null : parseDeviceCursor(cursor),
  };
}

/** A device's last run result as operators see it. */
function toView({ tenantId, reportedAt, ...report }: DeviceReport): DeviceReportView {
  return { ...report, tenant: tenantId, reportedAt: new Date(reportedAt).toISOString() };
}

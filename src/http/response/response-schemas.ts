// The schema of every response body: types for the routes, and the source of the OpenAPI document.
import { z } from 'zod';
import { DIRECTORY_HOLD_REASONS } from '../../domain/directory/directory-answer.ts';
import { STATUSES } from '../../domain/delivery.ts';
import { FAILURE_KINDS } from '../../domain/attempt/failure.ts';
import { HOLD_REASONS } from '../../domain/hold/hold.ts';
import { NOTE_CODES } from '../../domain/attempt/note.ts';
import { REFUSALS } from '../../domain/submission/refusal.ts';
import { deviceIdSchema, RUN_STATES } from '../../domain/submission/run-result.ts';

const instant = z.iso.datetime({ precision: 3 });
const count = z.int().min(0);
const seconds = z.number().min(0);
const graphStatus = z.int().nullable().describe('Graph’s HTTP status; null where nothing was answered.');
const graphRequestId = z.string().nullable().describe('What Microsoft’s support asks for.');
const status = z.enum(STATUSES).describe('`waiting`: a next attempt is set. The last three are the ends.');

export const receiptSchema = z
  .object({
    deliveryId: z.string(),
    runId: deviceIdSchema,
    status,
    duplicate: z.boolean().describe('Whether this run was known before.'),
    acceptedAt: instant,
    expectedCreateAt: instant
      .nullable()
      .describe('When it will be created at the present budget; null while nobody knows, and once it has ended.'),
  })
  .meta({ id: 'Receipt', description: 'The run result is on disk, and its delivery is under way.' });

const attemptSchema = z.object({
  number: z.int().min(1).describe('From 1 over the whole life of the delivery; the newest 50 are kept.'),
  at: instant,
  outcome: z.enum(['created', 'found', 'absent', ...FAILURE_KINDS, 'in-flight']),
  graphStatus,
  graphRequestId,
});

const lastFailureSchema = z.object({
  kind: z.enum(FAILURE_KINDS),
  code: z.string().describe('Of a dead letter `graph-<status>`, `expired` or `expired-uncertain`; else the kind.'),
  detail: z.string(),
  at: instant,
  graphStatus,
  graphCode: z.string().nullable().describe('`error.code` as Graph sent it.'),
  graphRequestId,
});

export const deliverySchema = z
  .object({
    deliveryId: z.string(),
    tenant: z.string().describe('`default` without a tenants file.'),
    runId: z.string(),
    deviceId: z.string(),
    hardwareConfigurationId: z.string(),
    status,
    attempts: z.array(attemptSchema),
    acceptedAt: instant,
    deliveredAt: instant.nullable(),
    deviceRunStateId: z.string().nullable().describe('The record’s id in Graph.'),
    supersededBy: z
      .string()
      .optional()
      .describe('Of a superseded one: the delivery of a newer result of the same device and configuration.'),
    notes: z
      .array(
        z.object({
          code: z.enum(NOTE_CODES),
          at: instant,
          deliveryId: z.string().optional().describe('The other delivery, where there is one.'),
          detail: z.string(),
        }),
      )
      .optional()
      .describe('What is worth knowing and changes nothing for the delivery; absent where there is nothing.'),
    lastFailure: lastFailureSchema.nullable(),
    compacted: z
      .literal(true)
      .optional()
      .describe(
        'Its details are no longer kept (`DELIVERED_KEPT_H`): run, device and configuration are empty, there are no attempts, and what may be null is. Absent while all is kept.',
      ),
  })
  .meta({ id: 'Delivery', description: 'A run result on its way into Graph.' });

export const deadLettersSchema = z
  .object({ deadLetters: z.array(deliverySchema), nextCursor: z.string().nullable() })
  .meta({ id: 'DeadLetters', description: 'A page of dead letters, newest first; `nextCursor` is null on the last.' });

export const deliveryListSchema = z
  .object({ deliveries: z.array(deliverySchema), nextCursor: z.string().nullable() })
  .meta({
    id: 'Deliveries',
    description:
      'A page of deliveries, newest first; `nextCursor` is null on the last. A page may have fewer than `limit` although more follow.',
  });

const deviceReportSchema = z
  .object({
    deviceId: deviceIdSchema,
    deviceName: z
      .string()
      .nullable()
      .describe('Null if only the delivery of an earlier version is known; so is `state`.'),
    tenant: z.string(),
    hardwareConfigurationId: z.string(),
    reportedAt: instant.describe('When its last run result was accepted.'),
    state: z.enum(RUN_STATES).nullable(),
    failuresInARow: count.describe('How many run results in a row failed (`fail`, `scriptError`), this one included.'),
    deliveryId: z.string(),
    status: z.enum(STATUSES).nullable().describe('Of the delivery; null once that is no longer stored.'),
  })
  .meta({ id: 'DeviceReport', description: 'The last run result of a device for a hardware configuration.' });

export const deviceListSchema = z
  .object({ devices: z.array(deviceReportSchema), nextCursor: z.string().nullable() })
  .meta({
    id: 'Devices',
    description:
      'A page of devices; `nextCursor` is null on the last. A page may have fewer than `limit` although more follow.',
  });

export const expectedDevicesSchema = z
  .object({
    neverReported: z.array(deviceIdSchema).describe('In the order they were given.'),
    silent: z
      .array(z.object({ deviceId: deviceIdSchema, reportedAt: instant }))
      .describe('Those that reported, but not within `silentForH`.'),
  })
  .meta({ id: 'ExpectedDevices' });
const percentile = seconds.nullable();

const summaryCountsSchema = z.object({
  accepted: count.describe('Run results accepted that day.'),
  states: z.record(z.enum(RUN_STATES), count).describe('By the state that goes to Graph.'),
  outcomes: z
    .object({
      delivered: count,
      dead: count.describe('Gave up and not replayed since; those purged stay here.'),
      superseded: count,
      open: count.describe('Those that have not ended.'),
    })
    .describe('How they have ended so far, whenever that was.'),
  latencySeconds: z
    .object({ p50: percentile, p90: percentile, p99: percentile })
    .describe('From acceptance to the record in Graph, at most 9 % off; null where none was created.'),
});

const summarySchema = z
  .object({
    tenant: z.string().describe('`default` without a tenants file.'),
    day: z.iso.date().describe('The day of acceptance, in UTC.'),
    hardwareConfigurationId: z
      .string()
      .nullable()
      .describe('Null: the configurations beyond the first hundred of the day, together.'),
    ...summaryCountsSchema.shape,
  })
  .meta({ id: 'Summary', description: 'What became of a day’s run results of one hardware configuration.' });

export const summaryListSchema = z
  .object({ summaries: z.array(summarySchema), nextCursor: z.string().nullable() })
  .meta({
    id: 'Summaries',
    description: 'By day, then configuration, then tenant; `nextCursor` is null on the last page.',
  });

export const replayedSchema = z.object({ matched: count, replayed: count }).meta({ id: 'Replayed' });
export const purgedSchema = z.object({ matched: count, purged: count }).meta({ id: 'Purged' });

const holdSchema = z.object({
  reason: z.enum([...HOLD_REASONS, 'throttled']),
  since: instant,
  detail: z.string(),
  remedy: z.string().describe('What a person can do about it.'),
  hardwareConfigurationId: z
    .string()
    .optional()
    .describe('Of a hold of one configuration: its deliveries alone are kept back, all others flow.'),
  deliveries: count.optional().describe('How many that hold keeps back; they also count in their status.'),
});

const seenAt = instant.nullable().describe('Since when that is known; null where it is not.');

const graphFactsSchema = z
  .object({
    createProven: z.boolean().describe('Whether a create has succeeded; its time is the first one’s.'),
    createProvenAt: seenAt,
    filterTaken: z
      .boolean()
      .nullable()
      .describe('Whether lookups may ask with `$filter`. A refusal is forgotten after an hour.'),
    filterTakenAt: seenAt,
    orderByTaken: z.boolean().nullable().describe('The same of `$orderby`.'),
    orderByTakenAt: seenAt,
    deleteByKeyTaken: z.boolean().nullable().describe('Whether a write probe of the doctor could delete its record.'),
    deleteByKeyTakenAt: seenAt,
    oneRowPerDevice: z.boolean().describe('Whether a create replaced the record of the device’s result before.'),
    oneRowPerDeviceAt: seenAt,
  })
  .describe('What this tenant’s Graph was seen to take. What is not known is null.');

const directoryStatusSchema = z
  .object({
    waiting: count.describe('Questions that wait for an answer.'),
    known: count.describe('Devices whose answer is remembered.'),
    hold: z
      .object({
        reason: z.enum(DIRECTORY_HOLD_REASONS),
        since: instant,
        detail: z.string(),
        remedy: z.string().describe('What a person can do about it.'),
      })
      .nullable()
      .describe('Why nobody asks at present: known devices go on, unknown ones hear 503.'),
  })
  .describe('The Entra device directory; absent where it is not used.');
export type DirectoryStatus = z.infer<typeof directoryStatusSchema>;

const tenantStatusSchema = z.object({
  id: z.string(),
  counts: z.object({ queued: count, delivering: count, waiting: count, delivered: count, dead: count }),
  oldestQueuedAgeSeconds: seconds,
  budgetWritesPerSecond: seconds,
  drainSeconds: seconds.describe('How long the backlog takes at the allowed pace.'),
  holds: z.array(holdSchema),
  backlog: z
    .object({
      accepts: z.enum(['all', 'failures', 'none']).describe('`failures`: only `fail` and `scriptError`.'),
      detail: z.string(),
    })
    .optional()
    .describe('Which new run results there is room for; the others hear 429 `backlog-full`.'),
  graph: graphFactsSchema,
  directory: directoryStatusSchema.optional(),
});

export const statusSchema = z
  .object({
    tenants: z.array(tenantStatusSchema),
    durability: z.string().describe('What a 202 is worth: `always` means on disk.'),
  })
  .meta({ id: 'Status' });

const checkSchema = z.object({ ok: z.boolean(), detail: z.string() });

export const readinessSchema = z
  .object({ status: z.enum(['ok', 'degraded', 'failing']), checks: z.record(z.string(), checkSchema) })
  .meta({
    id: 'Readiness',
    description: '`degraded` still serves: what is accepted is safe, but something needs an operator.',
  });

const explanationSchema = z.object({
  summary: z.string(),
  happened: z.array(z.string()),
  waitingFor: z.string().nullable(),
  next: z.string(),
});

/** The response of the dashboard's search. */
export const searchSchema = z.object({
  found: z.array(deliverySchema.extend({ explanation: explanationSchema })),
  complete: z.boolean(),
});

export const throttleEndSchema = z
  .object({ ended: z.boolean(), until: instant.nullable().describe('When it would have ended by itself.') })
  .meta({ id: 'ThrottleEnd', description: 'Whether Graph’s “not before” was in force, and is no more.' });

export const revokedSchema = z
  .object({
    revoked: z.array(
      z.object({
        deviceId: deviceIdSchema,
        revokedAt: instant,
        tenant: z.string().optional().describe('Where several are listed.'),
      }),
    ),
  })
  .meta({ id: 'RevokedDevices', description: 'Devices whose proofs count no more, newest first.' });

export const revocationSchema = z
  .object({
    deviceId: deviceIdSchema,
    revoked: z.boolean(),
    changed: z.boolean().describe('False where it was so before.'),
  })
  .meta({ id: 'Revocation' });

export const retirementSchema = z
  .object({
    deviceId: deviceIdSchema,
    changed: z.boolean().describe('Whether anything the device reported was remembered.'),
  })
  .meta({ id: 'Retirement' });

export const forgottenSchema = z
  .object({
    deviceId: deviceIdSchema,
    changed: z.boolean().describe('Whether anything the directory said about the device was remembered.'),
    asked: z.boolean().describe('Whether the directory is asked again now; false where it is not used.'),
  })
  .meta({ id: 'ForgottenDevice' });

/** A fault of a submission: where (RFC 6901 JSON Pointer) and what. */
const faultSchema = z.object({ pointer: z.string().meta({ format: 'json-pointer' }), detail: z.string() });

/** What every refusal holds (RFC 9457). */
export const problemSchema = z.object({
  type: z.string().meta({ format: 'uri' }),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.enum(Object.keys(REFUSALS) as (keyof typeof REFUSALS)[]),
  requestId: z.string().describe('Finds the request in the log; also in `X-Request-Id`.'),
  errors: z.array(faultSchema).optional(),
});

/** One receipt or problem for each entry, in order. */
export const batchSchema = z
  .array(z.union([receiptSchema, problemSchema]))
  .meta({ id: 'BatchAnswer', description: 'A receipt or a problem for each entry, in order.' });

export type BatchAnswer = z.infer<typeof batchSchema>;
export type Receipt = z.infer<typeof receiptSchema>;
export type DeliveryView = z.infer<typeof deliverySchema>;
export type DeliveryListView = z.infer<typeof deliveryListSchema>;
export type DeviceReportView = z.infer<typeof deviceReportSchema>;
export type DeviceListView = z.infer<typeof deviceListSchema>;
export type ExpectedDevicesView = z.infer<typeof expectedDevicesSchema>;
export type SummaryCountsView = z.infer<typeof summaryCountsSchema>;
export type SummaryView = z.infer<typeof summarySchema>;
export type SummaryListView = z.infer<typeof summaryListSchema>;
export type Status = z.infer<typeof statusSchema>;
export type Check = z.infer<typeof checkSchema>;
export type Replayed = z.infer<typeof replayedSchema>;
export type SearchAnswer = z.infer<typeof searchSchema>;
export type RevokedView = z.infer<typeof revokedSchema>;
export type RevocationView = z.infer<typeof revocationSchema>;
export type RetirementView = z.infer<typeof retirementSchema>;
export type ForgottenView = z.infer<typeof forgottenSchema>;
export type ThrottleEndView = z.infer<typeof throttleEndSchema>;
export type Readiness = z.infer<typeof readinessSchema>;
export type Problem = z.infer<typeof problemSchema>;

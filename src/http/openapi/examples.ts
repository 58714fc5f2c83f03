// Examples for the OpenAPI document: a run result delivered at the second attempt, and one that became a dead letter.
import type { z } from 'zod';
import type { runResultSchema } from '../../domain/submission/run-result.ts';
import type { ReplayView } from '../response/replay-schemas.ts';
import type { DeliveryView, Readiness, Receipt, Status, SummaryView } from '../response/response-schemas.ts';

export const runResult: z.input<typeof runResultSchema> = {
  runId: 'run-1',
  deviceId: 'LAPTOP-0042',
  hardwareConfigurationId: '1d5c8a52-7e0f-4f1b-9a6d-3c2b1e0f9a81',
  deviceName: 'LAPTOP-0042',
  policyVersion: 4,
  completedAt: '2026-11-23T10:15:30.1234567+01:00',
  exitCode: 0,
  output: 'SecureBoot: Enabled',
};

export const receipt: Receipt = {
  deliveryId: 'dfgm6RhtiTiMRVNgn_b9Y1w',
  runId: 'run-1',
  status: 'queued',
  duplicate: false,
  acceptedAt: '2026-11-23T09:15:31.417Z',
  expectedCreateAt: '2026-11-23T09:15:31.617Z',
};

export const delivered: DeliveryView = {
  deliveryId: receipt.deliveryId,
  tenant: 'default',
  runId: receipt.runId,
  deviceId: runResult.deviceId,
  hardwareConfigurationId: runResult.hardwareConfigurationId,
  status: 'delivered',
  attempts: [
    { number: 1, at: '2026-11-23T09:15:31.502Z', outcome: 'uncertain', graphStatus: 504, graphRequestId: null },
    {
      number: 2,
      at: '2026-11-23T09:15:36.611Z',
      outcome: 'found',
      graphStatus: 200,
      graphRequestId: '7c1b0c55-0b0e-4b5e-8c11-6f1c1f0f5a02',
    },
  ],
  acceptedAt: receipt.acceptedAt,
  deliveredAt: '2026-11-23T09:15:36.790Z',
  deviceRunStateId: '5f0c9c8e-3b5c-4d3e-9f57-0a4b7f1d2c33',
  lastFailure: {
    kind: 'uncertain',
    code: 'uncertain',
    detail: 'Graph answered 504',
    at: '2026-11-23T09:15:31.611Z',
    graphStatus: 504,
    graphCode: null,
    graphRequestId: null,
  },
};

export const dead: DeliveryView = {
  ...delivered,
  deliveryId: 'dJ7yqkJm1kP0oVYcG2uT8Hw',
  runId: 'run-2',
  status: 'dead',
  attempts: [
    {
      number: 1,
      at: '2026-11-23T09:20:02.114Z',
      outcome: 'rejected',
      graphStatus: 404,
      graphRequestId: 'a3a1c1b2-52a2-4b86-8d0e-44f52b7f9d10',
    },
  ],
  deliveredAt: null,
  deviceRunStateId: null,
  lastFailure: {
    kind: 'rejected',
    code: 'graph-404',
    detail: 'Graph answered 404: the hardware configuration does not exist',
    at: '2026-11-23T09:20:02.290Z',
    graphStatus: 404,
    graphCode: 'NotFound',
    graphRequestId: 'a3a1c1b2-52a2-4b86-8d0e-44f52b7f9d10',
  },
};

export const status: Status = {
  tenants: [
    {
      id: 'default',
      counts: { queued: 120, delivering: 4, waiting: 1, delivered: 9814, dead: 2 },
      oldestQueuedAgeSeconds: 25.2,
      budgetWritesPerSecond: 5,
      drainSeconds: 25,
      holds: [
        {
          reason: 'throttled',
          since: '2026-11-23T09:15:20.000Z',
          detail: 'Graph said not before 2026-11-23T09:15:40.000Z',
          remedy: 'Nothing to do: it passes by itself.',
        },
      ],
      backlog: { accepts: 'all', detail: 'has room' },
      graph: {
        createProven: true,
        createProvenAt: '2026-11-20T08:02:11.310Z',
        filterTaken: false,
        filterTakenAt: '2026-11-23T08:41:07.118Z',
        orderByTaken: true,
        orderByTakenAt: '2026-11-23T08:41:07.402Z',
        deleteByKeyTaken: null,
        deleteByKeyTakenAt: null,
        oneRowPerDevice: false,
        oneRowPerDeviceAt: null,
      },
    },
  ],
  durability: 'always',
};

export const summary: SummaryView = {
  tenant: 'default',
  day: '2026-11-23',
  hardwareConfigurationId: runResult.hardwareConfigurationId,
  accepted: 1280,
  states: { unknown: 0, success: 1201, fail: 34, scriptError: 2, pending: 43, notApplicable: 0 },
  outcomes: { delivered: 1271, dead: 2, superseded: 0, open: 7 },
  latencySeconds: { p50: 0.26, p90: 11.8, p99: 94.4 },
};

export const replay: ReplayView = {
  id: 'r2uT8HwdJ7yqkJm1k',
  tenant: 'default',
  filter: { code: 'expired' },
  perSecond: 2,
  state: 'running',
  matched: 1200,
  replayed: 431,
  skipped: 2,
  startedAt: '2026-11-23T10:00:00.000Z',
  endedAt: null,
  by: null,
};

export const ready: Readiness = {
  status: 'ok',
  checks: {
    redis: { ok: true, detail: 'answers' },
    durability: { ok: true, detail: 'always: a write is fsynced before it is acknowledged' },
    memory: { ok: true, detail: '12 % of maxmemory' },
    graph: { ok: true, detail: 'not held' },
  },
};

export const notReady: Readiness = {
  status: 'failing',
  checks: { redis: { ok: false, detail: 'does not answer; submissions are refused with 503' } },
};

export const alive: Readiness = { status: 'ok', checks: { process: { ok: true, detail: 'runs' } } };

export const notAlive: Readiness = {
  status: 'failing',
  checks: { process: { ok: false, detail: 'takes no jobs although some are waiting; restart it' } },
};

export const revoked = { deviceId: runResult.deviceId, revokedAt: '2026-11-23T09:30:00.000Z' };

export const forgotten = { deviceId: '5f1d2c3b-7a90-4e58-b6c1-0d9e8f7a6b54', changed: true, asked: true };
export const retirement = { deviceId: runResult.deviceId, changed: true };
export const revocation = { deviceId: runResult.deviceId, changed: true };

export const deviceReport = {
  deviceId: runResult.deviceId,
  deviceName: runResult.deviceName,
  tenant: 'default',
  hardwareConfigurationId: runResult.hardwareConfigurationId,
  reportedAt: '2026-11-23T09:30:00.000Z',
  state: 'fail' as const,
  failuresInARow: 3,
  deliveryId: delivered.deliveryId,
  status: 'delivered' as const,
};

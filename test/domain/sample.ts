// The run result, delivery and policy the domain's tables start from, each row changing what it is about.
import { createDelivery, type Delivery } from '../../src/domain/delivery.ts';
import type { Hold } from '../../src/domain/hold/hold.ts';
import type { TenantSnapshot } from '../../src/domain/operations/tenant-snapshot.ts';
import type { Policy } from '../../src/domain/attempt/retry-policy.ts';
import type { RunResult } from '../../src/domain/submission/run-result.ts';
import type { Circumstances } from '../support/conclude.ts';

export const run: RunResult = {
  runId: 'run-0001',
  deviceId: 'BER-DEL-00001',
  hardwareConfigurationId: '1d5c8a52-7e0f-4f1b-9a6d-3c2b1e0f9a81',
  deviceName: 'BER-DEL-00001',
  policyVersion: 4,
  completedAt: '2026-11-20T10:00:00.1234567+01:00',
  state: 'success',
};

export const policy: Policy = {
  maxAgeMs: 72 * 3_600_000,
  lookAfterMs: 5000,
  attemptTimeoutMs: 30_000,
  backoff: { baseMs: 2000, capMs: 300_000 },
};

const acceptedAt = 1_000_000;
export const now = 5_000_000;

export const circumstances: Circumstances = { now, random: 0.5, held: false };

/** A hold of the tenant for a missing permission. */
export const aHold: Hold = {
  reason: 'forbidden',
  about: 'create',
  hardwareConfigurationId: null,
  since: now,
  detail: '403 Forbidden',
  probes: 2,
  probeAt: now + 4000,
  tryOthersAt: now + 4000,
  probe: null,
  begunBy: null,
};

export const delivery = (changes: Partial<Delivery> = {}): Delivery => ({
  ...createDelivery({ tenantId: 'tenant-1', run, now: acceptedAt }),
  ...changes,
});

/** A tenant with nothing to do, at the documented pace. */
export const aSnapshot = (changes: Partial<TenantSnapshot> = {}): TenantSnapshot => ({
  now,
  counts: { queued: 0, delivering: 0, waiting: 0, delivered: 0, dead: 0, superseded: 0 },
  oldestOpen: { at: null, notParkedAt: null },
  holds: [],
  parked: {},
  throttle: null,
  writesPer20s: 100,
  ...changes,
});

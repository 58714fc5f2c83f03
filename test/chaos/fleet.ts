// The campaign's devices: each submits as planned, signed, with retries, and follows its deliveries to the end.
import { setTimeout as delay } from 'node:timers/promises';
import { deriveDeviceKey } from '../../src/domain/submission/device-key.ts';
import { readDelivery, type DeviceClientOptions, type ReadOutcome } from '../../src/device/device-client.ts';
import type { SubmitOutcome } from '../../src/device/outcome.ts';
import { submitUntilAccepted } from '../../src/device/submit-with-retries.ts';
import { createRandom } from '../../src/sandbox/random.ts';
import type { Answer } from './oracle.ts';
import { isBeyondTolerance, ONLY_TENANT, type Submission } from './plan.ts';

/** The service asks for up to 30 s; in the campaign's short day a device comes back sooner, if there are not too many. */
const LONGEST_WAIT = { leastMs: 800, perDeviceMs: 5 };
const REQUEST_TIMEOUT_MS = 5000;
const READ_WITHIN_MS = 20_000;

export type Devices = {
  submit: (submission: Submission, giveUpAfterMs: number) => Promise<Answer[]>;
  read: (device: { tenant: string; deviceId: string }, deliveryId: string) => Promise<ReadOutcome>;
  /** The same, with the key of another tenant's device of this id. */
  readAsStranger: (
    device: { tenant: string; deviceId: string; keyOf: string },
    deliveryId: string,
  ) => Promise<ReadOutcome>;
};

type DevicesSettings = {
  baseUrl: string;
  /** By tenant; devices of the only one do not name it. */
  groupKeys: ReadonlyMap<string, Uint8Array>;
  /** Whether tenants come and go: a device that is refused for its identity comes again. */
  comesAgain: boolean;
  /** How many there are. */
  devices: number;
  seed: number;
  /** How far the API's clock is ahead: a device's is right where it agrees with that. */
  apiAheadS: number;
  signal: AbortSignal;
};

export function createDevices(settings: DevicesSettings): Devices {
  const { baseUrl, groupKeys, comesAgain, devices, seed, apiAheadS, signal } = settings;
  const longestWaitMs = Math.max(LONGEST_WAIT.leastMs, devices * LONGEST_WAIT.perDeviceMs);
  const random = createRandom(seed ^ 0x5eed);
  const agentOf = (tenant: string, deviceId: string, { skewS = 0, keyOf = tenant } = {}): DeviceClientOptions => ({
    baseUrl,
    deviceId,
    ...(tenant !== ONLY_TENANT && { tenant }),
    deviceKey: deriveDeviceKey(groupKeys.get(keyOf) ?? new Uint8Array(32), deviceId).toString('base64'),
    signal,
    now: () => Date.now() + (apiAheadS + skewS) * 1000,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
  });

  async function submitCopy(submission: Submission, clock: Answer['clock'], giveUpAfterMs: number): Promise<Answer> {
    const { runResult, clockSkewS, tenant } = submission;
    const isBelieved = clock === 'right' || !isBeyondTolerance(clockSkewS);
    const skewS = clock === 'right' && isBeyondTolerance(clockSkewS) ? 0 : clockSkewS;
    const giveUpAt = Date.now() + giveUpAfterMs;
    for (let refusals = 0; ; refusals += 1) {
      const { outcome } = await submitUntilAccepted(runResult, agentOf(tenant, runResult.deviceId, { skewS }), {
        random,
        giveUpAfterMs,
        firstBackoffMs: 100,
        longestBackoffMs: longestWaitMs,
        wait: (ms) => delay(Math.min(ms, longestWaitMs), undefined, { signal }),
      });
      const answer = { submission, clock, refusals, ...heard(outcome) };
      if (!comesAgain || !isBelieved || answer.httpStatus !== 401 || Date.now() > giveUpAt) return answer;
      await delay(longestWaitMs / 2, undefined, { signal });
    }
  }

  return {
    submit: async (submission, giveUpAfterMs) => {
      const copies = Array.from({ length: submission.copies }, async () => {
        if (!isBeyondTolerance(submission.clockSkewS)) return [await submitCopy(submission, 'right', giveUpAfterMs)];
        // An agent that is told 401 sets its clock by the answer's Date and tries again.
        const refused = await submitCopy(submission, 'wrong', giveUpAfterMs);
        return [refused, await submitCopy(submission, 'right', giveUpAfterMs)];
      });
      return (await Promise.all(copies)).flat();
    },
    read: ({ tenant, deviceId }, deliveryId) => untilAnswered(deliveryId, agentOf(tenant, deviceId)),
    readAsStranger: ({ tenant, deviceId, keyOf }, deliveryId) =>
      untilAnswered(deliveryId, agentOf(tenant, deviceId, { keyOf })),
  };

  async function untilAnswered(deliveryId: string, agent: DeviceClientOptions): Promise<ReadOutcome> {
    const giveUpAt = Date.now() + READ_WITHIN_MS;
    for (;;) {
      const read = await readDelivery(deliveryId, agent);
      const isFinal = read.kind === 'found' || (read.kind === 'refused' && read.httpStatus < 500);
      if (isFinal || Date.now() > giveUpAt) return read;
      await delay(100, undefined, { signal });
    }
  }
}

function heard(outcome: SubmitOutcome): Pick<Answer, 'httpStatus' | 'deliveryId'> {
  switch (outcome.kind) {
    case 'accepted':
      return { httpStatus: 202, deliveryId: outcome.receipt.deliveryId };
    case 'duplicate':
      return { httpStatus: 200, deliveryId: outcome.receipt.deliveryId };
    case 'refused':
      return { httpStatus: outcome.httpStatus, deliveryId: null };
    case 'unreachable':
      return { httpStatus: 0, deliveryId: null };
  }
}

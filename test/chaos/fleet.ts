// The campaign's devices: each submits as planned, signed, with retries, and follows its deliveries to the end.
import { setTimeout as delay } from 'node:timers/promises';
import { deriveDeviceKey } from '../../src/domain/submission/device-key.ts';
import { readDelivery, type DeviceClientOptions, type ReadOutcome } from '../../src/device/device-client.ts';
import type { SubmitOutcome } from '../../src/device/outcome.ts';
import { submitUntilAccepted } from '../../src/device/submit-with-retries.ts';
import { createRandom } from '../../src/sandbox/random.ts';
import type { Answer } from './oracle.ts';
import { isBeyondTolerance, type Submission } from './plan.ts';

/** The service asks for up to 30 s; in the campaign's short day a device comes back sooner. */
const LONGEST_WAIT_MS = 800;
const REQUEST_TIMEOUT_MS = 5000;
const READ_WITHIN_MS = 20_000;

export type Devices = {
  submit: (submission: Submission, giveUpAfterMs: number) => Promise<Answer[]>;
  read: (deviceId: string, deliveryId: string) => Promise<ReadOutcome>;
};

type DevicesSettings = {
  baseUrl: string;
  groupKey: Uint8Array;
  seed: number;
  /** How far the API's clock is ahead: a device's is right where it agrees with that. */
  apiAheadS: number;
  signal: AbortSignal;
};

export function createDevices({ baseUrl, groupKey, seed, apiAheadS, signal }: DevicesSettings): Devices {
  const random = createRandom(seed ^ 0x5eed);
  const agentOf = (deviceId: string, skewS: number): DeviceClientOptions => ({
    baseUrl,
    deviceId,
    deviceKey: deriveDeviceKey(groupKey, deviceId).toString('base64'),
    signal,
    now: () => Date.now() + (apiAheadS + skewS) * 1000,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
  });

  async function submitCopy(submission: Submission, clock: Answer['clock'], giveUpAfterMs: number): Promise<Answer> {
    const { runResult, clockSkewS } = submission;
    const { outcome } = await submitUntilAccepted(
      runResult,
      agentOf(runResult.deviceId, clock === 'right' && isBeyondTolerance(clockSkewS) ? 0 : clockSkewS),
      {
        random,
        giveUpAfterMs,
        firstBackoffMs: 100,
        longestBackoffMs: LONGEST_WAIT_MS,
        wait: (ms) => delay(Math.min(ms, LONGEST_WAIT_MS), undefined, { signal }),
      },
    );
    return { submission, clock, ...heard(outcome) };
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
    read: async (deviceId, deliveryId) => {
      const giveUpAt = Date.now() + READ_WITHIN_MS;
      for (;;) {
        const read = await readDelivery(deliveryId, agentOf(deviceId, 0));
        const isFinal = read.kind === 'found' || (read.kind === 'refused' && read.httpStatus < 500);
        if (isFinal || Date.now() > giveUpAt) return read;
        await delay(100, undefined, { signal });
      }
    },
  };
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

// One submission: parses and stores a run result and answers with a receipt, or refuses it.
import type { Response } from 'express';
import pTimeout from 'p-timeout';
import type { Delivery } from '../../domain/delivery.ts';
import { findExcess } from '../../domain/submission/json-bounds.ts';
import { writeInstant } from '../../domain/submission/instant.ts';
import { parseRunResult, type RunResult } from '../../domain/submission/run-result.ts';
import { toSaid, type Said } from '../../domain/submission/fingerprinted-text.ts';
import type { Receipt } from '../response/response-schemas.ts';
import type { Callers } from '../identity/callers.ts';
import { jitter, Refused } from '../response/problem.ts';
import type { ServedTenants } from '../tenants/served-tenant.ts';
import { createAskQueue, type QueueParts } from './ask-queue.ts';
import { contextOf } from './context.ts';
import { setRateHeaders } from './rate.ts';
import { tenantOf } from '../tenants/tenant-of.ts';
import type { Submitter } from './submitter.ts';

/** A run result to store, and what the device sent, by which a duplicate is recognized. */
export type Submission = { run: RunResult; said: Said };

export type SubmissionParts = QueueParts & {
  callers: Callers;
  tenants: ServedTenants;
};

/** The calls to the queue for one request, all within one deadline. */
export type Submissions = {
  /** Counts submissions of this device. @throws Refused if it submits too fast */
  keepRate: (deviceId: string, submissions: number) => Promise<void>;
  /** Stores a run result. @throws Refused */
  store: (submission: Submission) => Promise<Receipt>;
};

/** Deadline for all calls to the queue, so that a caller is refused within 2 s. */
const ACCEPT_WITHIN_MS = 1800;
/** One for all: p-timeout would make one in advance for each call, and its stack trace is a fifth of a submission's cost. */
const LATE = new Error(`no answer within ${ACCEPT_WITHIN_MS} ms`);
/** Added to the end of the device's window. */
const TOO_FAST_JITTER_S = { minS: 0, jitterS: 10 };
/** Room returns gradually: the longer the backlog, the further apart devices come back. */
const BACKLOG_FULL_S = { minS: 30, minJitterS: 60, maxJitterS: 870, shareOfDrain: 0.1 };

/** Starts the deadline. */
export function beginSubmissions(parts: SubmissionParts, res: Response): Submissions {
  const { random } = parts;
  const { rate, accept, forecast, ...tenant } = tenantOf(res, parts.tenants);
  const now = tenant.now();
  const giveUpAt = performance.now() + ACCEPT_WITHIN_MS;
  const traceparent = contextOf(res).trace?.parent ?? null;

  const askQueue = createAskQueue(parts, 'nothing is promised; send it again later');
  const queue = <T>(asked: Promise<T>): Promise<T> =>
    askQueue(pTimeout(asked, { milliseconds: Math.max(1, giveUpAt - performance.now()), message: LATE }));

  async function keepRate(deviceId: string, submissions: number): Promise<void> {
    if (!rate) return;
    const taking = rate.take(deviceId, submissions, now);
    const taken = taking instanceof Promise ? await queue(taking) : taking;
    setRateHeaders(res, rate.perWindow, taken);
    if (!taken.ok) throw tooFast(taken.resetMs, random);
  }

  return {
    keepRate,
    store: async ({ run, said }) => {
      const accepted = await queue(accept(run, now, { said, traceparent }));
      if (accepted.kind === 'backlog-full') throw backlogFull(accepted, random);
      if (accepted.kind === 'conflict') {
        throw new Refused({ code: 'run-id-reused', detail: 'this device already used this runId for another result' });
      }
      const { delivery, kind, ahead } = accepted;
      return toReceipt(delivery, kind === 'duplicate', forecast(delivery, ahead));
    },
  };
}

/** The receipt of a stored run result. */
function toReceipt(delivery: Delivery, duplicate: boolean, expectedAt: number | null): Receipt {
  return {
    deliveryId: delivery.id,
    runId: delivery.runId,
    status: delivery.status,
    duplicate,
    acceptedAt: writeInstant(delivery.acceptedAt),
    expectedCreateAt: expectedAt === null ? null : new Date(expectedAt).toISOString(),
  };
}

function tooFast(resetMs: number, random: () => number): Refused {
  return new Refused({
    code: 'too-fast',
    detail: 'this device submitted as much as it may for now; send it again later',
    retryAfterS: resetMs / 1000 + jitter(TOO_FAST_JITTER_S, random),
  });
}

const BACKLOG_FULL_DETAILS = {
  failures: 'the last room is kept for failed runs (fail, scriptError); send it again later',
  none: 'as much waits as this service may hold; send it again later',
};

function backlogFull({ room, drainS }: { room: 'failures' | 'none'; drainS: number }, random: () => number): Refused {
  const { minS, minJitterS, maxJitterS, shareOfDrain } = BACKLOG_FULL_S;
  const jitterS = Math.min(maxJitterS, Math.max(minJitterS, drainS * shareOfDrain));
  return new Refused({
    code: 'backlog-full',
    detail: BACKLOG_FULL_DETAILS[room],
    retryAfterS: jitter({ minS, jitterS }, random),
  });
}

/** A device submits for itself, a relay for any device that is not revoked. @throws Refused */
export function parseSubmission(
  json: unknown,
  submitter: Submitter,
  isRevoked: (deviceId: string) => boolean,
): Submission {
  const claimed = typeof json === 'object' && json !== null ? (json as { deviceId?: unknown }).deviceId : undefined;
  if (submitter.kind === 'device' && typeof claimed === 'string' && claimed !== submitter.deviceId) {
    throw new Refused({ code: 'wrong-device', detail: 'deviceId is not the device that signed the request' });
  }
  const excess = findExcess(json);
  const parsed = excess ? { ok: false as const, faults: [excess] } : parseRunResult(json);
  if (!parsed.ok) {
    throw new Refused({
      code: 'invalid-run-result',
      detail: `${parsed.faults.length} ${parsed.faults.length === 1 ? 'fault' : 'faults'}; see errors`,
      faults: parsed.faults,
    });
  }
  if (submitter.kind === 'relay' && isRevoked(parsed.runResult.deviceId)) {
    throw new Refused({ code: 'wrong-device', detail: 'nothing is accepted for this device' });
  }
  return { run: parsed.runResult, said: toSaid(json) };
}

// Submits everything a fleet has planned, with limited concurrency, and counts the outcomes.
import type { SubmitOutcome } from '../../device/outcome.ts';
import type { DeviceClientOptions } from '../../device/device-client.ts';
import type { CredentialsOf } from './fleet-credentials.ts';
import type { Fleet, PlannedSubmission } from '../../sandbox/fleet/fleet.ts';
import { submitUntilAccepted } from '../../device/submit-with-retries.ts';
import type { RetryOptions } from '../../device/submit-with-retries.ts';

export type FleetRun = {
  submit: (submission: PlannedSubmission) => Promise<SubmitOutcome>;
  concurrency: number;
  signal?: AbortSignal;
  onOutcome?: (submission: PlannedSubmission, outcome: SubmitOutcome) => void;
};

export type FleetResult = {
  submitted: number;
  accepted: number;
  duplicate: number;
  refused: number;
  unreachable: number;
  /** Submissions that did not end as planned. */
  surprises: { submission: PlannedSubmission; outcome: SubmitOutcome }[];
};

/** Submits everything in order, `concurrency` at a time; on abort, submissions in flight are finished. */
export async function runFleet(fleet: Fleet, run: FleetRun): Promise<FleetResult> {
  const result: FleetResult = { submitted: 0, accepted: 0, duplicate: 0, refused: 0, unreachable: 0, surprises: [] };
  const remaining = fleet.submissions.values();
  const work = async () => {
    for (const submission of remaining) {
      if (run.signal?.aborted === true) return;
      const outcome = await run.submit(submission);
      result.submitted += 1;
      result[outcome.kind] += 1;
      if (!isExpected(submission, outcome)) result.surprises.push({ submission, outcome });
      run.onOutcome?.(submission, outcome);
    }
  };
  await Promise.all(Array.from({ length: run.concurrency }, work));
  return result;
}

/** Creates a `submit` that retries as devices do and signs with what the device has. */
export function createFleetSubmit(
  bridge: Pick<DeviceClientOptions, 'baseUrl' | 'signal' | 'fetch'>,
  retry: RetryOptions,
  credentialsOf: CredentialsOf,
): FleetRun['submit'] {
  return async (submission) => {
    const { deviceId, runResult } = submission;
    const device = { ...bridge, deviceId, ...credentialsOf(submission) };
    const { outcome } = await submitUntilAccepted(runResult, device, retry);
    return outcome;
  };
}

function isExpected({ expected }: PlannedSubmission, outcome: SubmitOutcome): boolean {
  switch (expected) {
    case 'accepted':
    case 'again':
      return outcome.kind === 'accepted' || outcome.kind === 'duplicate';
    case 'invalid':
      return outcome.kind === 'refused' && outcome.httpStatus === 422;
    case 'unauthenticated':
      return outcome.kind === 'refused' && outcome.httpStatus === 401;
  }
}

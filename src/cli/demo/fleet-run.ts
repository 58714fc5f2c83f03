// Submits everything a fleet has planned, with limited concurrency, and counts the outcomes.
import type { SubmitOutcome } from '../../device/outcome.ts';
import type { Agent } from '../../device/agent.ts';
import type { Fleet, PlannedSubmission } from '../../sandbox/fleet/fleet.ts';
import { submitUntilAccepted } from '../../device/persistence.ts';
import type { Persistence } from '../../device/persistence.ts';

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

/** Creates a `submit` that retries as devices do and signs with the planned key: the device's own or a wrong one. */
export function createFleetSubmit(
  agent: Omit<Agent, 'deviceId' | 'deviceKey'>,
  persistence: Persistence,
  deviceKeyOf: (deviceId: string) => string,
): FleetRun['submit'] {
  return async ({ deviceId, runResult, signedWith }) => {
    const deviceKey = signedWith === 'own-key' ? deviceKeyOf(deviceId) : Buffer.alloc(32, 'wrong').toString('base64');
    const { outcome } = await submitUntilAccepted(runResult, { ...agent, deviceId, deviceKey }, persistence);
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

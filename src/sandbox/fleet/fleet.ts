// Plans a fleet's submissions and their expected outcomes; the same seed gives the same plan.
import { planRunResult } from './device.ts';
import type { FleetRunResult } from './device.ts';
import { spoil } from './malformed.ts';
import { createRandom, wholeNumber } from '../random.ts';
import type { Random } from '../random.ts';

/** One submission a simulated device will make. */
export type PlannedSubmission = {
  deviceId: string;
  runResult: object;
  signedWith: 'own-key' | 'wrong-key';
  /** `again`: repeats another submission's run result, so one of the two is accepted and the other is a duplicate. */
  expected: 'accepted' | 'again' | 'invalid' | 'unauthenticated';
};

export type Fleet = {
  devices: number;
  /** The run results that must end up in Graph exactly once. */
  runResults: FleetRunResult[];
  submissions: PlannedSubmission[];
};

export type FleetOptions = {
  devices: number;
  seed: number;
  configurationIds: readonly string[];
  /** Runs are completed within the day before this. */
  now: Date;
  /** Share of run results submitted twice, and of additional malformed ones, per device. */
  againShare?: number;
  malformedShare?: number;
};

/** Plans one run result per device, some submitted twice, and some submissions that must be refused. */
export function createFleet(options: FleetOptions): Fleet {
  const { devices, seed, configurationIds, now, againShare = 0.1, malformedShare = 0.05 } = options;
  const random = createRandom(seed);
  const plan = (number: number) => planRunResult(random, { number, configurationIds, nowMs: now.getTime() });
  const runResults = Array.from({ length: devices }, (_, index) => plan(index + 1));

  const submissions = runResults.map((runResult) => toSubmission(runResult, 'accepted'));
  for (const submission of submissions.slice()) {
    if (random() < againShare) insertAfter(random, submissions, { ...submission, expected: 'again' });
  }
  const malformed = Math.round(devices * malformedShare);
  for (let index = 0; index < malformed; index += 1) {
    const spare = plan(devices + 1 + index);
    const spoilt: PlannedSubmission = { ...toSubmission(spare, 'invalid'), runResult: spoil(random, spare) };
    insertAnywhere(random, submissions, spoilt);
  }
  for (let index = 0; index < Math.min(2, Math.ceil(devices / 50)); index += 1) {
    const stranger = toSubmission(plan(devices + malformed + 1 + index), 'unauthenticated');
    insertAnywhere(random, submissions, { ...stranger, signedWith: 'wrong-key' });
  }
  return { devices, runResults, submissions };
}

function toSubmission(runResult: FleetRunResult, expected: PlannedSubmission['expected']): PlannedSubmission {
  return { deviceId: runResult.deviceId, runResult, signedWith: 'own-key', expected };
}

function insertAfter(random: Random, submissions: PlannedSubmission[], submission: PlannedSubmission): void {
  const first = submissions.findIndex(({ deviceId }) => deviceId === submission.deviceId);
  submissions.splice(wholeNumber(random, first + 1, submissions.length), 0, submission);
}

function insertAnywhere(random: Random, submissions: PlannedSubmission[], submission: PlannedSubmission): void {
  submissions.splice(wholeNumber(random, 0, submissions.length), 0, submission);
}

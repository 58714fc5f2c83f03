// Plans a fleet's submissions and their expected outcomes; the same seed gives the same plan.
import { planRunResult } from './device.ts';
import type { FleetRunResult } from './device.ts';
import { IDENTITIES, identityOf, toDeviceId } from './identity.ts';
import type { Identity } from './identity.ts';
import { spoil } from './malformed.ts';
import { createRandom, wholeNumber } from '../random.ts';
import type { Random } from '../random.ts';

/** One submission a simulated device will make. */
export type PlannedSubmission = {
  deviceId: string;
  runResult: object;
  identity: Identity;
  /** `wrong-key`: another derived key, or a certificate that the device made itself. */
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
  const plan = (number: number, identity: Identity, expected: PlannedSubmission['expected']) => {
    const planned = planRunResult(random, { number, configurationIds, nowMs: now.getTime() });
    const deviceId = toDeviceId(identity, planned.deviceId);
    const runResult = { ...planned, deviceId };
    return { deviceId, runResult, identity, signedWith: 'own-key', expected } as const;
  };
  const accepted = Array.from({ length: devices }, (_, index) => plan(index + 1, identityOf(index + 1), 'accepted'));

  const submissions: PlannedSubmission[] = [...accepted];
  for (const submission of submissions.slice()) {
    if (random() < againShare) insertAfter(random, submissions, { ...submission, expected: 'again' });
  }
  const malformed = Math.round(devices * malformedShare);
  for (let index = 0; index < malformed; index += 1) {
    const number = devices + 1 + index;
    const spare = plan(number, identityOf(number), 'invalid');
    insertAnywhere(random, submissions, { ...spare, runResult: spoil(random, spare.runResult) });
  }
  for (const [index, identity] of IDENTITIES.slice(0, Math.ceil(devices / 50)).entries()) {
    const stranger = plan(devices + malformed + 1 + index, identity, 'unauthenticated');
    insertAnywhere(random, submissions, { ...stranger, signedWith: 'wrong-key' });
  }
  return { devices, runResults: accepted.map(({ runResult }) => runResult), submissions };
}

function insertAfter(random: Random, submissions: PlannedSubmission[], submission: PlannedSubmission): void {
  const first = submissions.findIndex(({ deviceId }) => deviceId === submission.deviceId);
  submissions.splice(wholeNumber(random, first + 1, submissions.length), 0, submission);
}

function insertAnywhere(random: Random, submissions: PlannedSubmission[], submission: PlannedSubmission): void {
  submissions.splice(wholeNumber(random, 0, submissions.length), 0, submission);
}

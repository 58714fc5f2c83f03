// The fleet: the same seed plans the same day, believable and unique; and letting it loose counts what comes of it.
import { describe, expect, test } from 'vitest';

import type { SubmitOutcome } from '../../../src/device/outcome.ts';
import { parseDateTimeOffset } from '../../../src/sandbox/graph/date-time-offset.ts';
import { createFleetSubmit, runFleet } from '../../../src/cli/demo/fleet-run.ts';
import { createFleet } from '../../../src/sandbox/fleet/fleet.ts';
import { IDENTITIES } from '../../../src/sandbox/fleet/identity.ts';
import type { PlannedSubmission } from '../../../src/sandbox/fleet/fleet.ts';

const configurationIds = ['dell-id', 'hp-id', 'lenovo-id'];
const now = new Date('2026-11-20T08:00:00Z');
const options = { devices: 600, seed: 7, configurationIds, now };
const fleet = createFleet(options);

const receipt = { deliveryId: 'd', runId: 'r', status: 'queued', duplicate: false, acceptedAt: '' };
const refused = (httpStatus: number): SubmitOutcome => ({
  kind: 'refused',
  httpStatus,
  code: '',
  problem: {},
  retryAfterMs: undefined,
});

/** A bridge in four lines: what a real one would answer to a planned submission. */
function createFakeBridge() {
  const known = new Set<string>();
  return ({ expected, deviceId }: PlannedSubmission): Promise<SubmitOutcome> => {
    if (expected === 'invalid') return Promise.resolve(refused(422));
    if (expected === 'unauthenticated') return Promise.resolve(refused(401));
    const kind = known.has(deviceId) ? 'duplicate' : 'accepted';
    known.add(deviceId);
    return Promise.resolve({ kind, receipt });
  };
}

describe('a planned fleet', () => {
  test('with the same seed · is the same · and with another seed a different one', () => {
    expect(createFleet(options)).toEqual(fleet);
    expect(createFleet({ ...options, seed: 8 }).runResults).not.toEqual(fleet.runResults);
  });

  test('of 600 devices · has one run result each · and no two are alike', () => {
    expect(fleet.runResults).toHaveLength(600);
    for (const name of ['deviceId', 'deviceName', 'runId'] as const) {
      expect(new Set(fleet.runResults.map((runResult) => runResult[name])).size).toBe(600);
    }
    expect(
      fleet.submissions.filter(({ expected }) => expected === 'accepted').map(({ runResult }) => runResult),
    ).toEqual(fleet.runResults);
  });

  test('has every identity · from every vendor · a GUID where the directory knows the device', () => {
    const accepted = fleet.submissions.filter(({ expected }) => expected === 'accepted');
    for (const identity of IDENTITIES) {
      const ids = accepted.filter((submission) => submission.identity === identity).map(({ deviceId }) => deviceId);
      expect(ids).toHaveLength(200);
      expect(ids.every((id) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id))).toBe(
        identity === 'entra-certificate',
      );
    }
    const kinds = accepted.map(({ identity }, index) =>
      [identity, fleet.runResults[index]?.deviceName.slice(4, 7)].join(' '),
    );
    expect(new Set(kinds).size).toBe(9);
  });

  test('has run results of the contract’s shape · from all vendors · with all courses', () => {
    for (const runResult of fleet.runResults) {
      expect(runResult.deviceId).toMatch(/^[A-Za-z0-9._-]{1,128}$/);
      expect(runResult.runId).toMatch(/^[A-Za-z0-9._-]{1,128}$/);
      expect(runResult.osVersion ?? '10.0.22631.1000').toMatch(/^10\.0\.(22631|26100)\.\d{4}$/);
      const ticks = parseDateTimeOffset(runResult.completedAt) ?? 0n;
      const agoMs = now.getTime() - Number(ticks / 10_000n);
      expect(agoMs).toBeGreaterThan(0);
      expect(agoMs).toBeLessThan(90_000_000);
    }
    expect(new Set(fleet.runResults.map(({ hardwareConfigurationId }) => hardwareConfigurationId))).toEqual(
      new Set(configurationIds),
    );
    const courses = fleet.runResults.map((run) => ('exitCode' in run ? (run.exitCode === 0 ? 0 : 'exit') : run.state));
    expect(new Set(courses)).toEqual(new Set([0, 'exit', 'scriptError', 'notApplicable']));
    const share = courses.filter((course) => course === 0).length / 600;
    expect(share).toBeCloseTo(0.8, 1);
    expect(fleet.runResults.some(({ upn }) => upn === null)).toBe(true);
    expect(fleet.runResults.some((runResult) => !('upn' in runResult))).toBe(true);
  });

  test('submits some twice, some malformed · three with a wrong key · the second copy after the first', () => {
    const count = (expected: string) =>
      fleet.submissions.filter((submission) => submission.expected === expected).length;
    expect(count('again')).toBeGreaterThan(30);
    expect([count('invalid'), count('unauthenticated')]).toEqual([30, 3]);
    const positions = fleet.submissions.map(({ deviceId, expected }, index) => ({ deviceId, expected, index }));
    for (const again of positions.filter(({ expected }) => expected === 'again')) {
      const first = positions.find(({ deviceId, expected }) => deviceId === again.deviceId && expected === 'accepted');
      expect(first?.index).toBeLessThan(again.index);
    }
    const wrongKeys = fleet.submissions.filter(({ signedWith }) => signedWith === 'wrong-key');
    expect(new Set(wrongKeys.map(({ expected }) => expected))).toEqual(new Set(['unauthenticated']));
    expect(new Set(wrongKeys.map(({ identity }) => identity))).toEqual(new Set(IDENTITIES));
  });
});

describe('a running fleet', () => {
  test('eight at a time · never has more in flight · and counts every outcome', async () => {
    const answer = createFakeBridge();
    let underWay = 0;
    let most = 0;
    const submit = async (submission: PlannedSubmission) => {
      most = Math.max(most, (underWay += 1));
      await new Promise(setImmediate);
      underWay -= 1;
      return answer(submission);
    };
    const outcomes: string[] = [];
    const onOutcome = (_submission: PlannedSubmission, { kind }: SubmitOutcome) => void outcomes.push(kind);
    const result = await runFleet(fleet, { submit, concurrency: 8, onOutcome });
    expect(most).toBe(8);
    expect(result).toMatchObject({ submitted: fleet.submissions.length, accepted: 600, refused: 33, surprises: [] });
    expect(outcomes).toHaveLength(fleet.submissions.length);
  });

  test('answered otherwise than planned · reports what was not as planned · with what happened', async () => {
    const small = createFleet({ ...options, devices: 3, againShare: 0, malformedShare: 0 });
    const result = await runFleet(small, { submit: () => Promise.resolve(refused(401)), concurrency: 2 });
    expect(result).toMatchObject({ submitted: 4, accepted: 0, refused: 4 });
    expect(result.surprises.map(({ submission }) => submission.expected)).toEqual(['accepted', 'accepted', 'accepted']);
  });

  test('that is aborted · lets those in flight finish · and starts no others', async () => {
    const stopping = new AbortController();
    const submit = () => {
      stopping.abort();
      return Promise.resolve<SubmitOutcome>({ kind: 'accepted', receipt });
    };
    const result = await runFleet(fleet, { submit, concurrency: 1, signal: stopping.signal });
    expect(result.submitted).toBe(1);
  });

  test('with its own submit · signs with what the device has · which may be wrong', async () => {
    const keys: string[] = [];
    const fetch = () => Promise.resolve(Response.json(receipt, { status: 202 }));
    const credentialsOf = ({ deviceId, signedWith }: Pick<PlannedSubmission, 'deviceId' | 'signedWith'>) => {
      keys.push(`${deviceId} ${signedWith}`);
      return { deviceKey: Buffer.from(deviceId).toString('base64') };
    };
    const persistence = { random: () => 0, giveUpAfterMs: 0 };
    const submit = createFleetSubmit({ baseUrl: 'http://bridge.example', fetch }, persistence, credentialsOf);
    const planned = { deviceId: 'dev-1', runResult: {}, identity: 'derived-key', expected: 'accepted' } as const;
    expect(await submit({ ...planned, signedWith: 'own-key' })).toEqual({ kind: 'accepted', receipt });
    expect(await submit({ ...planned, signedWith: 'wrong-key' })).toEqual({ kind: 'accepted', receipt });
    expect(keys).toEqual(['dev-1 own-key', 'dev-1 wrong-key']);
  });
});

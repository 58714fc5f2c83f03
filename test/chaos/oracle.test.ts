// The judge notices what it is there for: a lost result, a duplicate, a wrong content, a record nobody asked for.
import { expect, test } from 'vitest';
import type { GraphRecord } from '../support/graph-record.ts';
import { judge, type Answer, type DeliveryView, type Evidence } from './oracle.ts';
import type { Submission } from './plan.ts';

const CONFIGURATION = '11111111-1111-4111-8111-111111111111';

const submissionOf = (run: number, changes: Partial<Submission> = {}): Submission => ({
  at: 0,
  tenant: 'default',
  copies: 1,
  clockSkewS: 0,
  meaning: 'ordinary',
  runResult: {
    runId: `run-${run}`,
    deviceId: 'device-1',
    hardwareConfigurationId: CONFIGURATION.toUpperCase(),
    deviceName: `LAB-${run}`,
    policyVersion: 4,
    completedAt: '2026-01-02T03:04:05.5+01:00',
    exitCode: 3010,
    output: 'done',
  },
  ...changes,
});
const answerOf = (run: number, changes: Partial<Answer> = {}): Answer => ({
  submission: submissionOf(run),
  clock: 'right',
  httpStatus: 202,
  deliveryId: `d${run}`,
  ...changes,
});
const recordOf = (run: number, changes: Partial<GraphRecord> = {}): GraphRecord => ({
  id: `r${run}`,
  configurationId: CONFIGURATION,
  deviceName: `LAB-${run}`,
  osVersion: null,
  upn: null,
  internalVersion: 4,
  lastStateUpdateDateTime: '2026-01-02T02:04:05.5000000Z',
  configurationState: 'pending',
  configurationOutput: 'done',
  configurationError: null,
  ...changes,
});
const delivered = (run: number): [string, DeliveryView] => [
  `d${run}`,
  { status: 'delivered', deviceRunStateId: `r${run}`, lastFailure: null },
];

const kept: Evidence = {
  answers: [answerOf(1), answerOf(2)],
  views: new Map([delivered(1), delivered(2)]),
  records: [recordOf(1), recordOf(2)],
  counts: { queued: 0, delivering: 0, waiting: 0, delivered: 2, dead: 0 },
  summed: { accepted: 2, delivered: 2, dead: 0, open: 0 },
};
const faultsOf = (changes: Partial<Evidence>): string[] =>
  judge({ ...kept, ...changes }).violations.map(({ fault }) => fault);

test('promises kept · nothing to say · instants compared as instants', () => {
  expect(judge(kept)).toEqual({ obligations: 2, delivered: 2, dead: 0, violations: [] });
});

test.each<[string, Partial<Evidence>, string]>([
  ['a record that is missing', { records: [recordOf(1)] }, 'lost'],
  ['a delivery nobody knows', { views: new Map([delivered(1), ['d2', null]]) }, 'lost'],
  ['a second record', { records: [...kept.records, recordOf(2, { id: 'r2b' })] }, 'duplicate'],
  ['a record nobody asked for', { records: [...kept.records, recordOf(9)] }, 'unknown-record'],
  ['another output', { records: [recordOf(1), recordOf(2, { configurationOutput: 'done.' })] }, 'wrong-content'],
  [
    'another tick',
    { records: [recordOf(1), recordOf(2, { lastStateUpdateDateTime: '2026-01-02T02:04:05.5000001Z' })] },
    'wrong-content',
  ],
  [
    'one record for two',
    { views: new Map([delivered(1), ['d2', { status: 'delivered', deviceRunStateId: 'r1', lastFailure: null }]]) },
    'shared-record',
  ],
  [
    'a death without reason',
    {
      views: new Map([
        delivered(1),
        ['d2', { status: 'dead', deviceRunStateId: null, lastFailure: { code: 'expired' } }],
      ]),
    },
    'wrongly-dead',
  ],
  ['summaries that are off', { summed: { accepted: 3, delivered: 2, dead: 0, open: 1 } }, 'wrong-summaries'],
  ['counts that are off', { counts: { queued: 0, delivering: 0, waiting: 0, delivered: 3, dead: 0 } }, 'wrong-counts'],
  [
    'a device that never heard',
    { answers: [...kept.answers, answerOf(3, { httpStatus: 0, deliveryId: null })] },
    'unheard',
  ],
  ['a second 202', { answers: [...kept.answers, answerOf(2)] }, 'wrongly-answered'],
  [
    'a clock far off that was believed',
    { answers: [...kept.answers, answerOf(2, { submission: submissionOf(2, { clockSkewS: 900 }), clock: 'wrong' })] },
    'wrongly-answered',
  ],
  [
    'two contents under one id',
    {
      answers: [
        ...kept.answers,
        answerOf(2, {
          httpStatus: 200,
          submission: submissionOf(2, { runResult: { ...submissionOf(2).runResult, policyVersion: 5 } }),
        }),
      ],
    },
    'wrongly-answered',
  ],
  [
    'a record of another tenant',
    { records: [...kept.records, recordOf(9)], elsewhere: [submissionOf(9, { tenant: 'other' })] },
    'crossed',
  ],
  [
    'a delivery that is shown as another device’s',
    {
      views: new Map([
        delivered(1),
        ['d2', { status: 'delivered', deviceRunStateId: 'r2', lastFailure: null, deviceId: 'device-9' }],
      ]),
    },
    'crossed',
  ],
  [
    'a device that was nobody for a while',
    { answers: [answerOf(1), answerOf(2, { refusals: 1 })] },
    'wrongly-answered',
  ],
])('%s · is noticed', (_, changes, fault) => {
  expect(faultsOf(changes)).toContain(fault);
});

test('a poison result · is dead for its own reason · and nothing to blame', () => {
  const poison = answerOf(2, { submission: submissionOf(2, { meaning: 'poison' }) });
  const dead = { status: 'dead', deviceRunStateId: null, lastFailure: { code: 'graph-404' } };
  const judgement = judge({
    answers: [answerOf(1), poison],
    views: new Map([delivered(1), ['d2', dead]]),
    records: [recordOf(1)],
    counts: { queued: 0, delivering: 0, waiting: 0, delivered: 1, dead: 1 },
    summed: { accepted: 2, delivered: 1, dead: 1, open: 0 },
  });
  expect(judgement).toEqual({ obligations: 2, delivered: 1, dead: 1, violations: [] });
});

test('a device of a tenant that was not in the file for a while · was nobody meanwhile · and nothing to blame', () => {
  expect(faultsOf({ answers: [answerOf(1), answerOf(2, { refusals: 3 })], wasAbsent: true })).toEqual([]);
});

test('a rival · refused with 409 · is no violation', () => {
  const rival = submissionOf(2, { meaning: 'rival' });
  expect(
    faultsOf({ answers: [...kept.answers, answerOf(2, { submission: rival, httpStatus: 409, deliveryId: null })] }),
  ).toEqual([]);
});

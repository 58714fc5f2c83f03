// What follows from an outcome: one table over every kind of failure, the contract's "When Graph says no" on its right side.
import { describe, expect, test } from 'vitest';
import { LOST_WORKER } from '../../../src/domain/attempt/conclusion.ts';
import { begin, type Delivery, type Outcome } from '../../../src/domain/delivery.ts';
import { FAILURE_KINDS, type Failure } from '../../../src/domain/attempt/failure.ts';
import { HOLD_REASONS, REMEDIES } from '../../../src/domain/hold/hold.ts';
import type { Verdict } from '../../../src/domain/attempt/decide.ts';
import { backoffMs, longestWaitMs } from '../../../src/domain/attempt/retry-policy.ts';
import { FAILURES_UNTIL_HOLD, REJECTIONS_UNTIL_HOLD } from '../../../src/domain/hold/tenant-effect.ts';
import { effectOf, verdictOf, type Circumstances } from '../../support/conclude.ts';
import { circumstances, delivery, now, policy } from '../sample.ts';

const looking = delivery({ uncertainty: { since: 1, lookups: 0 } });
const attempts = (['absent', 'not-sent', 'uncertain', 'not-sent'] as const).map((outcome, index) => ({
  number: index + 1,
  at: now,
  outcome,
  graphStatus: null,
  graphRequestId: null,
}));
const afterThreeCycles = delivery({
  uncertainty: { since: 1, lookups: 2 },
  attempts: Array.from({ length: 3 }, () => ['uncertain', 'absent', 'absent'] as const)
    .flat()
    .map((outcome, index) => ({ number: index + 1, at: now, outcome, graphStatus: null, graphRequestId: null })),
});
const failedThrice = delivery({ attemptsMade: 4, attempts, dueAt: now, failingSince: now - 1000 });
const old = delivery({ attemptsMade: 4, attempts, dueAt: now, failingSince: now - policy.maxAgeMs });
const almostOld = delivery({ attemptsMade: 4, attempts, dueAt: now, failingSince: now - policy.maxAgeMs + 1 });

const why = { detail: 'why', graph: null };
const throttled = (retryAfterMs: number | null): Failure => ({ kind: 'throttled', retryAfterMs, ...why });
const notSent = (upstream: 'graph' | 'token-endpoint'): Failure => ({ kind: 'not-sent', upstream, ...why });
const delayed: Failure = { kind: 'delayed', ...why };
const inconclusive: Failure = { kind: 'inconclusive', next: null, ...why };
const unsure = { uncertainty: { since: 1, lookups: 0 } };
const unread = (times: number) =>
  delivery({
    ...unsure,
    attempts: Array.from({ length: times }, (_, index) => ({
      ...{ number: index + 1, at: now, outcome: 'inconclusive' as const },
      ...{ graphStatus: 200, graphRequestId: null },
    })),
  });
const uncertain = { kind: 'uncertain', ...why } as const;
const rejected = (status: number): Failure => ({ kind: 'rejected', status, ...why });
const held = { held: true };

type Row = [
  when: string,
  outcome: Outcome,
  delivery: Delivery,
  circumstances: Partial<Circumstances>,
  verdict: Verdict,
];

/** A kind without a row does not compile, and one that is not in the union fails the test below. */
const TABLE: Record<Failure['kind'], Row[]> = {
  throttled: [
    ['told how long', throttled(1500), delivery(), {}, { then: 'everyone-waits', retryAfterMs: 1500 }],
    ['told nothing', throttled(null), delivery(), {}, { then: 'everyone-waits', retryAfterMs: null }],
    [
      'told very long',
      throttled(99_999_999_000),
      delivery(),
      {},
      { then: 'everyone-waits', retryAfterMs: 99_999_999_000 },
    ],
    ['of any age', throttled(1), old, {}, { then: 'everyone-waits', retryAfterMs: 1 }],
    ['while held', throttled(1), delivery(), held, { then: 'everyone-waits', retryAfterMs: 1 }],
    ['while looking', throttled(1), looking, {}, { then: 'everyone-waits', retryAfterMs: 1 }],
  ],
  'not-sent': [
    ['for the first time', notSent('graph'), delivery(), {}, { then: 'again', at: now + 1000 }],
    ['for the fourth time', notSent('graph'), failedThrice, {}, { then: 'again', at: now + 8000 }],
    ['for the token endpoint', notSent('token-endpoint'), delivery(), {}, { then: 'again', at: now + 1000 }],
    ['while looking', notSent('graph'), looking, {}, { then: 'again', at: now + 1000 }],
    ['not quite too old', notSent('graph'), almostOld, {}, { then: 'again', at: now + 8000 }],
    ['too old', notSent('graph'), old, {}, { then: 'dead', code: 'expired' }],
    [
      'too old while uncertain',
      notSent('graph'),
      { ...old, uncertainty: { since: 1, lookups: 0 } },
      {},
      { then: 'dead', code: 'expired-uncertain' },
    ],
    ['while held', notSent('graph'), delivery(), held, { then: 'hold', reason: 'graph-unavailable' }],
    [
      'for the token endpoint while held, however old',
      notSent('token-endpoint'),
      old,
      held,
      { then: 'hold', reason: 'token-endpoint-unavailable' },
    ],
  ],
  delayed: [
    ['for the first time', delayed, delivery(), {}, { then: 'at-once' }],
    ['while held, however old', delayed, old, held, { then: 'at-once' }],
  ],
  uncertain: [
    ['of a create', uncertain, delivery(), {}, { then: 'look', at: now + 5000 }],
    ['of a look', uncertain, looking, {}, { then: 'look', at: now + 1000 }],
    ['of a create while held', uncertain, delivery(), held, { then: 'look', at: now + 5000 }],
    ['of a create while held, however old', uncertain, old, held, { then: 'look', at: now + 5000 }],
    ['too old', uncertain, old, {}, { then: 'dead', code: 'expired-uncertain' }],
    ['its worker lost just now', LOST_WORKER, delivery(), {}, { then: 'look', at: now + 30_000 + 5000 }],
  ],
  inconclusive: [
    ['for the first time', inconclusive, looking, {}, { then: 'look', at: now + 5000 }],
    ['for the third time in a row', inconclusive, unread(2), {}, { then: 'look', at: now + 15_000 }],
    ['for the fiftieth time in a row', inconclusive, unread(49), {}, { then: 'look', at: now + 250_000 }],
    ['without an end', inconclusive, unread(999), {}, { then: 'look', at: now + policy.backoff.capMs }],
    ['while held, however old', inconclusive, { ...old, ...unsure }, held, { then: 'look', at: now + 5000 }],
    ['too old', inconclusive, { ...old, ...unsure }, {}, { then: 'dead', code: 'expired-uncertain' }],
  ],
  conflict: [
    ['of a create', { kind: 'conflict', ...why }, delivery(), {}, { then: 'look', at: now }],
    ['of a create while held, however old', { kind: 'conflict', ...why }, old, held, { then: 'look', at: now }],
  ],
  unauthenticated: [
    ['ever', { kind: 'unauthenticated', ...why }, old, {}, { then: 'hold', reason: 'unauthenticated' }],
  ],
  'credential-refused': [
    ['ever', { kind: 'credential-refused', ...why }, old, {}, { then: 'hold', reason: 'credential-refused' }],
  ],
  forbidden: [['ever', { kind: 'forbidden', ...why }, old, {}, { then: 'hold', reason: 'forbidden' }]],
  'route-not-served': [
    ['ever', { kind: 'route-not-served', ...why }, old, {}, { then: 'hold', reason: 'route-not-served' }],
  ],
  rejected: [
    ['404', rejected(404), delivery(), {}, { then: 'dead', code: 'graph-404' }],
    ['400 while a hold answers for it', rejected(400), old, held, { then: 'hold', reason: 'all-rejected' }],
  ],
};

const SUCCESSES: Row[] = [
  [
    'made',
    { kind: 'created', deviceRunStateId: 's', graph: { status: 201, requestId: null } },
    old,
    {},
    { then: 'done', deviceRunStateId: 's' },
  ],
  [
    'found',
    { kind: 'found', deviceRunStateId: 's', graph: { status: 200, requestId: null } },
    looking,
    {},
    { then: 'done', deviceRunStateId: 's' },
  ],
  [
    'not there yet',
    { kind: 'absent', graph: { status: 200, requestId: null } },
    looking,
    {},
    { then: 'look', at: now + 10_000 },
  ],
  [
    'not there a third time',
    { kind: 'absent', graph: { status: 200, requestId: null } },
    delivery({ uncertainty: { since: 1, lookups: 2 } }),
    { random: 0 },
    { then: 'create-again', at: now },
  ],
  [
    'not there a third time, for the third time: each cycle waits longer',
    { kind: 'absent', graph: { status: 200, requestId: null } },
    afterThreeCycles,
    {},
    { then: 'create-again', at: now + 4000 },
  ],
  [
    'not there a third time, though Graph says it collides',
    { kind: 'absent', graph: { status: 200, requestId: null } },
    delivery({ uncertainty: { since: 1, lookups: 2, conflict: true } }),
    {},
    { then: 'dead', code: 'graph-409' },
  ],
];

const rows = Object.entries(TABLE).flatMap(([kind, ofKind]) => ofKind.map((row): [string, ...Row] => [kind, ...row]));

describe('a failure · has one verdict · for any caller', () => {
  test.each(rows)('%s · %s', (_kind, _when, outcome, about, changes, verdict) => {
    expect(
      verdictOf({ outcome, delivery: begin(about, now), circumstances: { ...circumstances, ...changes }, policy }),
    ).toEqual(verdict);
  });
});

test.each(SUCCESSES)('a record · %s · has one verdict', (_when, outcome, about, changes, verdict) => {
  expect(
    verdictOf({ outcome, delivery: begin(about, now), circumstances: { ...circumstances, ...changes }, policy }),
  ).toEqual(verdict);
});

/** What one create of each kind means for the tenant: the kind of effect, or how many failures it takes for a hold. */
const EFFECTS: Record<Failure['kind'], [Failure, string | number]> = {
  throttled: [throttled(1500), 'throttle'],
  'not-sent': [notSent('graph'), FAILURES_UNTIL_HOLD],
  delayed: [delayed, 'nothing'],
  uncertain: [uncertain, FAILURES_UNTIL_HOLD],
  inconclusive: [inconclusive, 'recovered'],
  conflict: [{ kind: 'conflict', ...why }, 'answered'],
  unauthenticated: [{ kind: 'unauthenticated', ...why }, 'hold'],
  'credential-refused': [{ kind: 'credential-refused', ...why }, 'hold'],
  forbidden: [{ kind: 'forbidden', ...why }, 'hold'],
  'route-not-served': [{ kind: 'route-not-served', ...why }, 'hold'],
  rejected: [rejected(400), REJECTIONS_UNTIL_HOLD],
};

test.each(Object.values(EFFECTS))('$kind · has one effect on the tenant · $1', (outcome, expected) => {
  const effect = effectOf(outcome, 'create');
  expect(effect.kind === 'count-failure' ? effect.failuresUntilHold : effect.kind).toBe(expected);
});

test('a lookup · is evidence about lookups alone · and a stall of our own none at all', () => {
  expect(effectOf(uncertain, 'look')).toMatchObject({ kind: 'count-failure', about: 'look' });
  expect(effectOf({ kind: 'forbidden', ...why }, 'look')).toMatchObject({ kind: 'hold', about: 'look' });
  expect(effectOf(rejected(400), 'look')).toEqual({ kind: 'answered', missing: false });
  expect(effectOf({ ...uncertain, stoodStill: true }, 'create')).toEqual({ kind: 'nothing' });
});

test('the table · has a row for every kind of failure · and none besides', () => {
  expect(Object.keys(TABLE).sort()).toEqual([...FAILURE_KINDS].sort());
  for (const [kind, ofKind] of Object.entries(TABLE)) expect(ofKind.map(([, outcome]) => outcome.kind)).toContain(kind);
});

test('a cause that concerns everybody · never makes a dead letter · however old the delivery', () => {
  const holding = rows.filter(([, , , , , verdict]) => verdict.then === 'hold' || verdict.then === 'everyone-waits');
  expect(holding.length).toBeGreaterThan(5);
  for (const [, , outcome, about, changes] of holding) {
    const ancient = { ...about, failingSince: 0 };
    const { then } = verdictOf({
      outcome,
      delivery: begin(ancient, now),
      circumstances: { ...circumstances, ...changes, now: now * 1e6 },
      policy,
    });
    expect(then).not.toBe('dead');
  }
});

test('an intent dated in the future, left by a clock that was set back · waits like one made just now · and no longer', () => {
  const marked = begin(delivery(), now + 3_600_000);
  const verdict = verdictOf({ outcome: LOST_WORKER, delivery: marked, circumstances, policy });
  expect(verdict).toEqual({ then: 'look', at: now + policy.attemptTimeoutMs + policy.lookAfterMs });
});

test('the longest wait · is the cap of the backoff, or the last look', () => {
  expect(longestWaitMs({ ...policy, lookAfterMs: 5000, attemptTimeoutMs: 30_000 })).toBe(policy.backoff.capMs);
  expect(longestWaitMs({ ...policy, lookAfterMs: 600_000, attemptTimeoutMs: 30_000 })).toBe(2_430_000);
});

test('every reason for a hold · has a remedy · in a whole sentence', () => {
  expect(Object.keys(REMEDIES).sort()).toEqual([...HOLD_REASONS].sort());
  for (const remedy of Object.values(REMEDIES)) expect(remedy).toMatch(/^[A-Z].{20,}\.$/);
});

describe('backoff', () => {
  const backoff = { baseMs: 2000, capMs: 300_000 };

  test.each([
    [1, 0, 0],
    [1, 0.5, 1000],
    [1, 0.999999, 2000],
    [2, 0.5, 2000],
    [5, 0.5, 16_000],
    [8, 0.999999, 256_000],
    [9, 0.5, 150_000],
    [1000, 0.5, 150_000],
    [1e9, 0.999999, 300_000],
  ])('failure %i with the dice at %d · waits %i ms · full jitter under a cap', (failures, random, waitMs) => {
    expect(backoffMs(failures, random, backoff)).toBe(waitMs);
  });
});

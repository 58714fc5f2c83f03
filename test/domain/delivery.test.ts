// A delivery's life: who it is, how a try begins and ends, what is remembered of it, and how it comes back from the dead.
import { describe, expect, test } from 'vitest';
import { LOST_WORKER } from '../../src/domain/attempt/conclusion.ts';
import { conclude } from '../support/conclude.ts';
import {
  ATTEMPTS_KEPT,
  begin,
  createDelivery,
  identify,
  isTerminal,
  nextStep,
  replay,
  STATUSES,
  wasAbandoned,
  withdraw,
  type Delivery,
  type Outcome,
} from '../../src/domain/delivery.ts';
import { circumstances, delivery, now, policy, run } from './sample.ts';

const graph = { status: 201, requestId: 'req-1' };
const created: Outcome = { kind: 'created', deviceRunStateId: 'state-1', graph };
const absent: Outcome = { kind: 'absent', graph: { status: 200, requestId: 'req-2' } };
const throttled: Outcome = {
  kind: 'throttled',
  retryAfterMs: 1000,
  detail: '429',
  graph: { status: 429, code: 'TooManyRequests', requestId: 'req-3' },
};
const uncertain: Outcome = {
  kind: 'uncertain',
  detail: '504 UnknownError',
  graph: { status: 504, code: 'UnknownError', requestId: 'req-4' },
};
const notSent: Outcome = { kind: 'not-sent', upstream: 'graph', detail: 'ECONNREFUSED', graph: null };
const rejected: Outcome = {
  kind: 'rejected',
  status: 404,
  detail: '404 ResourceNotFound',
  graph: { status: 404, code: 'ResourceNotFound', requestId: 'req-5' },
};

const after = (outcome: Outcome, changes: Partial<Delivery> = {}, at = now) =>
  conclude({ delivery: begin(delivery(changes), at), outcome, circumstances: { ...circumstances, now: at }, policy })
    .delivery;

describe('identity', () => {
  test('the same tenant, device and run · is the same delivery · for ever', () => {
    // Ids are stored and given to devices: this one must never change.
    expect(identify('tenant-1', 'BER-DEL-00001', 'run-0001')).toBe('d85xps8aB97w88ZJWqEZ8ag');
  });

  test('any other tenant, device or run · is another delivery · even where the texts together are the same', () => {
    const ids = [
      identify('t', 'a', 'b'),
      identify('u', 'a', 'b'),
      identify('t', 'b', 'a'),
      identify('t', 'ab', ''),
      identify('t', 'a","b', ''),
      identify('ta', '', 'b'),
    ];
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('an id · needs no escaping · in a path or a key', () => {
    expect(identify('ténant', 'a', 'b')).toMatch(/^d[A-Za-z0-9_-]{22}$/);
  });
});

describe('a new delivery', () => {
  test('accepted · is queued and due · knows nothing yet', () => {
    expect(createDelivery({ tenantId: 'tenant-1', run, now: 1000 })).toEqual({
      id: identify('tenant-1', run.deviceId, run.runId),
      tenantId: 'tenant-1',
      runId: 'run-0001',
      deviceId: 'BER-DEL-00001',
      hardwareConfigurationId: run.hardwareConfigurationId,
      status: 'queued',
      acceptedAt: 1000,
      attemptsMade: 0,
      attempts: [],
      dueAt: 1000,
      failingSince: null,
      intent: null,
      uncertainty: null,
      lastFailure: null,
      deliveredAt: null,
      deviceRunStateId: null,
      supersededBy: null,
      notes: [],
      traceparent: null,
    });
  });

  test('of the run result · keeps only what identifies it · the content lives elsewhere', () => {
    const whole = { ...run, output: 'SECRET-OUTPUT', upn: 'who@example.test' };
    const text = JSON.stringify(createDelivery({ tenantId: 't', run: whole, now: 1 }));
    expect(text).not.toMatch(/SECRET-OUTPUT|who@example/);
  });
});

test('a first uncertain create that is too old · is dead, and still uncertain · so that a replay looks first', () => {
  const dead = after(uncertain, { failingSince: now - policy.maxAgeMs, dueAt: now });
  expect(dead).toMatchObject({ status: 'dead', uncertainty: { since: now, lookups: 0 } });
  expect(nextStep(replay(dead, now))).toBe('look');
  expect(after(rejected).uncertainty).toBeNull();
});

test.each(STATUSES.map((status) => [status]))('a status · %s · is the end or is not', (status) => {
  expect(isTerminal(status)).toBe(['delivered', 'dead', 'superseded'].includes(status));
});

describe('begin and withdraw', () => {
  test('a try · is announced as a create · and as a look where a create is unanswered', () => {
    expect(begin(delivery(), now)).toMatchObject({ status: 'delivering', intent: { at: now, sends: 'create' } });
    const unanswered = delivery({ uncertainty: { since: 1, lookups: 0 } });
    expect(nextStep(unanswered)).toBe('look');
    expect(begin(unanswered, now).intent).toEqual({ at: now, sends: 'look' });
  });

  test('time spent due but not tried · does not count · towards the age it dies of', () => {
    expect(begin(delivery({ failingSince: 2000, dueAt: now - 700 }), now).failingSince).toBe(2700);
    expect(begin(delivery({ failingSince: 2000, dueAt: now + 5 }), now).failingSince).toBe(2000);
    expect(begin(delivery({ failingSince: null, dueAt: 0 }), now).failingSince).toBeNull();
  });

  test('a try taken back · leaves nothing behind · queued if never tried, else waiting', () => {
    expect(withdraw(begin(delivery(), now))).toEqual(delivery({ dueAt: now }));
    expect(withdraw(begin(delivery({ attemptsMade: 2 }), now))).toMatchObject({ status: 'waiting', intent: null });
  });

  test('tries taken back again and again · credit the time waited once · not again each time', () => {
    const failing = delivery({ attemptsMade: 2, dueAt: now, failingSince: now - 1000 });
    const minute = 60_000;
    const first = withdraw(begin(failing, now + minute));
    const second = withdraw(begin(first, now + 2 * minute));
    expect(begin(second, now + 3 * minute).failingSince).toBe(now - 1000 + 3 * minute);
  });

  test('an intent without an outcome · is a lost create · but a lost look is nothing lost', () => {
    expect(wasAbandoned(begin(delivery(), now))).toBe(true);
    expect(wasAbandoned(begin(delivery({ uncertainty: { since: 1, lookups: 0 } }), now))).toBe(false);
    expect(wasAbandoned(delivery())).toBe(false);
  });
});

describe('conclude', () => {
  test('created · is delivered · with the record and the time', () => {
    expect(after(created)).toMatchObject({
      status: 'delivered',
      deviceRunStateId: 'state-1',
      deliveredAt: now,
      intent: null,
      attemptsMade: 1,
      lastFailure: null,
      attempts: [{ number: 1, at: now, outcome: 'created', graphStatus: 201, graphRequestId: 'req-1' }],
    });
  });

  test('found by looking · is delivered · and no longer uncertain', () => {
    const found = after({ ...created, kind: 'found' }, { uncertainty: { since: 1, lookups: 1 } });
    expect(found).toMatchObject({ status: 'delivered', deviceRunStateId: 'state-1', uncertainty: null });
  });

  test('throttled · counts as no attempt · and says why it waits', () => {
    const waiting = after(throttled);
    expect(waiting).toMatchObject({
      status: 'queued',
      attemptsMade: 0,
      attempts: [],
      intent: null,
      failingSince: null,
    });
    expect(waiting.lastFailure).toEqual({
      kind: 'throttled',
      code: 'throttled',
      detail: '429',
      at: now,
      graphStatus: 429,
      graphCode: 'TooManyRequests',
      graphRequestId: 'req-3',
    });
  });

  test.each<[Outcome]>([
    [{ kind: 'unauthenticated', detail: '401', graph: null }],
    [{ kind: 'credential-refused', detail: 'AADSTS7000215', graph: null }],
    [{ kind: 'forbidden', detail: '403', graph: null }],
  ])('a cause that concerns everybody · $kind · counts as no attempt', (outcome) => {
    expect(after(outcome, { attemptsMade: 3, attempts: [] })).toMatchObject({
      status: 'waiting',
      attemptsMade: 3,
      attempts: [],
      failingSince: null,
      lastFailure: { kind: outcome.kind },
    });
  });

  test('uncertain · waits for a look · and stays uncertain since the first time', () => {
    const first = after(uncertain);
    expect(first).toMatchObject({
      status: 'waiting',
      dueAt: now + 5000,
      uncertainty: { since: now, lookups: 0 },
      failingSince: now,
      lastFailure: { kind: 'uncertain', graphStatus: 504, graphRequestId: 'req-4' },
    });
    const lookFailed = conclude({
      delivery: begin(first, now + 5000),
      outcome: notSent,
      circumstances: { ...circumstances, now: now + 5000 },
      policy,
    });
    expect(lookFailed.delivery).toMatchObject({ uncertainty: { since: now, lookups: 0 }, status: 'waiting' });
    const lookUnanswered = conclude({
      delivery: begin(first, now + 5000),
      outcome: uncertain,
      circumstances: { ...circumstances, now: now + 5000 },
      policy,
    });
    expect(lookUnanswered.delivery.uncertainty).toEqual({ since: now, lookups: 0 });
  });

  describe('a create that collides', () => {
    const conflict: Outcome = {
      kind: 'conflict',
      detail: '409 Conflict',
      graph: { status: 409, code: 'Conflict', requestId: 'req-6' },
    };
    const next = (before: Delivery, outcome: Outcome) =>
      conclude({
        delivery: begin(before, before.dueAt),
        outcome,
        circumstances: { ...circumstances, now: before.dueAt },
        policy,
      }).delivery;

    test('is looked for at once · and stays known as one that collides, whatever a look comes to', () => {
      const first = after(conflict);
      expect(first).toMatchObject({ status: 'waiting', dueAt: now, lastFailure: { kind: 'conflict' } });
      expect(first.uncertainty).toEqual({ since: now, lookups: 0, conflict: true });
      expect(nextStep(first)).toBe('look');
      expect(next(first, uncertain).uncertainty).toEqual({ since: now, lookups: 0, conflict: true });
      expect(next(first, absent).uncertainty).toEqual({ since: now, lookups: 1, conflict: true });
      expect(next(first, { ...created, kind: 'found' })).toMatchObject({ status: 'delivered', uncertainty: null });
    });

    test('not there after three looks · is dead as what Graph said · and replayed it is created again', () => {
      const dead = [absent, uncertain, absent, absent].reduce(next, after(conflict));
      expect(dead).toMatchObject({
        status: 'dead',
        uncertainty: null,
        lastFailure: { kind: 'conflict', code: 'graph-409', graphStatus: 409 },
      });
      expect(nextStep(replay(dead, now))).toBe('create');
    });
  });

  test('a lookup that did not see all · goes on where it stopped · until it has seen the end', () => {
    const unread = (next: string | null): Outcome => ({
      kind: 'inconclusive',
      next,
      detail: 'more pages',
      graph: null,
    });
    const looking = after(unread('https://graph/2'), { uncertainty: { since: 1, lookups: 1 } });
    expect(looking.uncertainty).toEqual({ since: 1, lookups: 1, next: 'https://graph/2' });
    expect(after(uncertain, looking).uncertainty).toEqual(looking.uncertainty);
    expect(after(throttled, looking).uncertainty).toEqual(looking.uncertainty);
    expect(after(unread(null), looking).uncertainty).toEqual({ since: 1, lookups: 1 });
    expect(after(absent, looking).uncertainty).toEqual({ since: 1, lookups: 2 });
  });

  test('not there · looked for three times, each later · is created again after a backoff', () => {
    let looking = after(uncertain);
    const waits: number[] = [];
    for (const looks of [1, 2]) {
      const at = looking.dueAt;
      looking = conclude({
        delivery: begin(looking, at),
        outcome: absent,
        circumstances: { ...circumstances, now: at },
        policy,
      }).delivery;
      expect(looking).toMatchObject({ status: 'waiting', uncertainty: { since: now, lookups: looks } });
      waits.push(looking.dueAt - at);
    }
    expect(waits).toEqual([10_000, 20_000]);
    const at = looking.dueAt;
    looking = conclude({
      delivery: begin(looking, at),
      outcome: absent,
      circumstances: { ...circumstances, now: at },
      policy,
    }).delivery;
    expect(looking).toMatchObject({ status: 'waiting', dueAt: at + 1000, uncertainty: null });
    expect(nextStep(looking)).toBe('create');
  });

  test('a lost worker’s create · is looked for · only after its request must have ended', () => {
    const intent = { at: now - 1000, sends: 'create' as const };
    const lost = conclude({
      delivery: delivery({ status: 'delivering', intent }),
      outcome: LOST_WORKER,
      circumstances,
      policy,
    }).delivery;
    expect(lost).toMatchObject({ dueAt: now - 1000 + 30_000 + 5000, uncertainty: { since: now, lookups: 0 } });
    expect(lost.attempts).toEqual([
      { number: 1, at: now - 1000, outcome: 'uncertain', graphStatus: null, graphRequestId: null },
    ]);
  });

  test('rejected · is dead · with Graph’s own words kept', () => {
    const dead = after(rejected);
    expect(dead).toMatchObject({ status: 'dead', deliveredAt: null, deviceRunStateId: null });
    expect(dead.lastFailure).toEqual({
      kind: 'rejected',
      code: 'graph-404',
      detail: '404 ResourceNotFound',
      at: now,
      graphStatus: 404,
      graphCode: 'ResourceNotFound',
      graphRequestId: 'req-5',
    });
  });

  test('a long outage · the delivery stays small · the newest attempts with their numbers', () => {
    let failing = delivery();
    for (let tries = 0; tries < ATTEMPTS_KEPT + 10; tries++) {
      const at = Math.max(now, failing.dueAt);
      failing = conclude({
        delivery: begin(failing, at),
        outcome: notSent,
        circumstances: { ...circumstances, now: at },
        policy,
      }).delivery;
    }
    expect(failing.attemptsMade).toBe(ATTEMPTS_KEPT + 10);
    expect(failing.attempts).toHaveLength(ATTEMPTS_KEPT);
    expect(failing.attempts.at(0)?.number).toBe(11);
    expect(failing.attempts.at(-1)?.number).toBe(ATTEMPTS_KEPT + 10);
    expect(failing.failingSince).toBe(now);
  });

  test('concluding · changes nothing it was given · the store may still hold it', () => {
    const before = begin(delivery(), now);
    const copy = structuredClone(before);
    conclude({ delivery: before, outcome: uncertain, circumstances, policy });
    expect(before).toEqual(copy);
  });
});

describe('replay', () => {
  test('a dead delivery · is queued again · same id, history kept, its age starts over', () => {
    const dead = { ...after(rejected), failingSince: 5 };
    const again = replay(dead, now + 9);
    expect(again).toEqual({ ...dead, status: 'queued', dueAt: now + 9, failingSince: null, intent: null });
    expect(nextStep(again)).toBe('create');
  });

  test('a delivery that died uncertain · looks first · even after a replay', () => {
    expect(nextStep(replay(delivery({ status: 'dead', uncertainty: { since: 1, lookups: 2 } }), now))).toBe('look');
  });

  test('a replayed delivery · numbers its attempts on · where it left off', () => {
    const again = begin(replay(after(rejected), now), now + 1);
    const { attempts } = conclude({
      delivery: again,
      outcome: created,
      circumstances: { ...circumstances, now: now + 1 },
      policy,
    }).delivery;
    expect(attempts.map(({ number, outcome }) => `${number} ${outcome}`)).toEqual(['1 rejected', '2 created']);
  });
});

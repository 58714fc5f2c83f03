// What an operator is told of a delivery: every status and every kind of failure, from deliveries that really lived.
import { describe, expect, test } from 'vitest';
import { LOST_WORKER } from '../../../src/domain/attempt/conclusion.ts';
import { conclude } from '../../support/conclude.ts';
import { begin, replay, STATUSES, supersede, type Delivery, type Outcome } from '../../../src/domain/delivery.ts';
import { explain } from '../../../src/domain/operations/explain.ts';
import { FAILURE_KINDS, type Failure } from '../../../src/domain/attempt/failure.ts';
import { HOLD_REASONS, REMEDIES, remedyOfHold } from '../../../src/domain/hold/hold.ts';
import { withNote } from '../../../src/domain/attempt/note.ts';
import { DEAD_LETTER_REMEDIES, remedyOf } from '../../../src/domain/operations/remedy.ts';
import { aHold, aSnapshot, circumstances, delivery, policy } from '../sample.ts';

const T = Date.parse('2026-11-24T10:00:00Z');
const fresh = () => delivery({ acceptedAt: T, dueAt: T });
const calm = aSnapshot({ now: T + 60_000 });
const answer = (status: number, requestId = `req-${status}`) => ({ status, requestId });

/** One try after another, each outcome a second after its try, each try when it is due. */
function live(outcomes: Outcome[], from: Delivery = fresh()): Delivery {
  return outcomes.reduce((before, outcome) => {
    const at = Math.max(before.dueAt, T + 1000);
    return conclude({
      delivery: begin(before, at),
      outcome,
      circumstances: { ...circumstances, now: at + 1000 },
      policy,
    }).delivery;
  }, from);
}

const created: Outcome = { kind: 'created', deviceRunStateId: 'state-1', graph: answer(201) };
const found: Outcome = { kind: 'found', deviceRunStateId: 'state-1', graph: answer(200) };
const absent: Outcome = { kind: 'absent', graph: answer(200) };
const OUTCOMES: Record<Failure['kind'], Failure> = {
  throttled: { kind: 'throttled', retryAfterMs: 5000, detail: '429', graph: { ...answer(429), code: null } },
  'not-sent': { kind: 'not-sent', upstream: 'graph', detail: 'ECONNREFUSED', graph: null },
  delayed: { kind: 'delayed', detail: 'too late', graph: null },
  uncertain: { kind: 'uncertain', detail: '504 UnknownError', graph: { ...answer(504), code: null } },
  inconclusive: {
    kind: 'inconclusive',
    next: null,
    detail: 'the listing goes on after 50 pages',
    graph: { ...answer(200), code: null },
  },
  conflict: { kind: 'conflict', detail: '409 Conflict', graph: { ...answer(409), code: null } },
  unauthenticated: { kind: 'unauthenticated', detail: '401', graph: { ...answer(401), code: null } },
  'credential-refused': { kind: 'credential-refused', detail: 'AADSTS7000222', graph: null },
  forbidden: { kind: 'forbidden', detail: '403', graph: { ...answer(403), code: null } },
  'route-not-served': {
    kind: 'route-not-served',
    detail: '400 No method match route template',
    graph: { ...answer(400), code: 'No method match route template' },
  },
  rejected: { kind: 'rejected', status: 404, detail: '404 ResourceNotFound', graph: { ...answer(404), code: null } },
};

const ACCEPTED =
  '2026-11-24 10:00:00 UTC  accepted: run run-0001 of device BER-DEL-00001, for hardware configuration 1d5c8a52-7e0f-4f1b-9a6d-3c2b1e0f9a81';
const HAPPENED: Record<Failure['kind'], string[]> = {
  throttled: [
    '2026-11-24 10:00:02 UTC  Graph asked to wait; surely nothing was written, and no try is spent (Graph said 429, request id req-429): 429',
  ],
  'not-sent': ['2026-11-24 10:00:01 UTC  try 1: no connection came to be, so nothing was sent: ECONNREFUSED'],
  delayed: [
    '2026-11-24 10:00:02 UTC  Redis or the worker stood still until it was too late to send it, so nothing was sent and no try is spent: too late',
  ],
  uncertain: [
    '2026-11-24 10:00:01 UTC  try 1: the request was sent and no answer came that can be relied on: Graph may have it (Graph said 504, request id req-504): 504 UnknownError',
  ],
  inconclusive: [
    '2026-11-24 10:00:01 UTC  try 1: looked in Graph, and not all records could be read: it is looked for further on (Graph said 200, request id req-200): the listing goes on after 50 pages',
  ],
  conflict: [
    '2026-11-24 10:00:01 UTC  try 1: Graph said that it collides with a record it has: whether that is this one is looked up (Graph said 409, request id req-409): 409 Conflict',
  ],
  unauthenticated: [
    '2026-11-24 10:00:02 UTC  Graph refused the token; surely nothing was written, and no try is spent (Graph said 401, request id req-401): 401',
  ],
  'credential-refused': [
    '2026-11-24 10:00:02 UTC  the token endpoint refused the credential, so nothing was sent and no try is spent: AADSTS7000222',
  ],
  forbidden: [
    '2026-11-24 10:00:02 UTC  Graph refused the app’s permission or the licence; surely nothing was written, and no try is spent (Graph said 403, request id req-403): 403',
  ],
  'route-not-served': [
    '2026-11-24 10:00:02 UTC  the tenant’s Intune does not serve this route; surely nothing was written, and no try is spent (Graph said 400, request id req-400): 400 No method match route template',
  ],
  rejected: [
    '2026-11-24 10:00:01 UTC  try 1: Graph refused this record for its own sake (Graph said 404, request id req-404): 404 ResourceNotFound',
    '2026-11-24 10:00:02 UTC  given up: graph-404',
  ],
};

test.each(FAILURE_KINDS)('%s · is described in words · with Graph’s own evidence', (kind) => {
  expect(explain(live([OUTCOMES[kind]]), calm).happened).toEqual([ACCEPTED, ...HAPPENED[kind]]);
});

const OF_STATUS: Record<Delivery['status'], [Delivery, Omit<ReturnType<typeof explain>, 'happened'>]> = {
  queued: [
    fresh(),
    {
      summary: 'Accepted and stored; it waits for its turn.',
      waitingFor: 'its turn: all workers together create 5 a second',
      next: 'When it is its turn, a worker creates it in Graph. Where nothing moves, see that a worker runs.',
    },
  ],
  delivering: [
    begin(fresh(), T + 1000),
    {
      summary: 'Being sent to Graph just now.',
      waitingFor: 'the outcome of the try that is under way',
      next: 'If its worker stopped, another one takes it over within a minute, and looks in Graph first where something may have been sent.',
    },
  ],
  waiting: [
    { ...live([OUTCOMES['not-sent']]), dueAt: calm.now + 90_000 },
    {
      summary: 'Stored, and not in Graph yet; it will be tried again.',
      waitingFor: 'the time set for its next try, 2026-11-24 10:02:30 UTC (in 90 s)',
      next: 'Then a worker creates it in Graph. Nothing is to be done.',
    },
  ],
  delivered: [
    live([created]),
    {
      summary: 'Delivered: Graph has it.',
      waitingFor: null,
      next: 'Nothing: it is done. Sent again by the device, it is known and not created twice.',
    },
  ],
  dead: [
    live([OUTCOMES.rejected]),
    {
      summary: 'Given up (graph-404): it is kept, and nothing happens until somebody replays or purges it.',
      waitingFor: 'an operator',
      next: DEAD_LETTER_REMEDIES['graph-404'] ?? '',
    },
  ],
  superseded: [
    supersede(fresh(), 'd-newer'),
    {
      summary: 'Superseded: a newer result of the same device and configuration (d-newer) stands for it.',
      waitingFor: null,
      next: 'Nothing: it was not created in Graph. Should every newer result die before it is created, this one comes back.',
    },
  ],
};

test.each(STATUSES)('%s · says what is waited for · and what comes next', (status) => {
  const [lived, expected] = OF_STATUS[status];
  expect(lived.status).toBe(status);
  expect(explain(lived, calm)).toMatchObject(expected);
});

test('notes · are listed with the rest · in words', () => {
  const noted = withNote(withNote(fresh(), { code: 'completed-ahead', at: T, by: null }), {
    code: 'record-replaced',
    at: T + 5000,
    by: 'd-other',
  });
  const { happened } = explain(noted, calm);
  expect(happened.find((line) => line.includes('more than a day ahead'))).toMatch(/note: completedAt is/);
  expect(happened.at(-1)).toMatch(/note: its record in Graph was replaced: .* d-other/);
  expect(withNote(noted, { code: 'record-replaced', at: T + 9000, by: 'd-third' })).toBe(noted);
});

describe('an uncertain create', () => {
  test('it and its lookups · are listed one by one · until it is found', () => {
    const { happened, summary } = explain(live([OUTCOMES.uncertain, absent, OUTCOMES['not-sent'], found]), calm);
    expect(happened.slice(2).map((line) => line.slice(25))).toEqual([
      'try 2: looked in Graph, and it is not there (look 1 of 3) (Graph said 200, request id req-200)',
      'try 3: wanted to look in Graph, but no connection came to be: ECONNREFUSED',
      'try 4: looked in Graph and found it: the create had worked (Graph said 200, request id req-200)',
      'delivered: record state-1 in Graph',
    ]);
    expect(summary).toBe('Delivered: Graph has it.');
  });

  test('the last look in vain · says that it is created again · and the next try is a create', () => {
    const lived = live([OUTCOMES.uncertain, absent, absent, absent]);
    const { happened, next, summary } = explain(lived, calm);
    expect(happened.at(-1)).toContain(
      'looked in Graph for the last time (3 of 3): surely not there, so it is created again',
    );
    expect(next).toMatch(/^When it is its turn, a worker creates it in Graph/);
    expect(summary).toBe('Stored, and not in Graph yet; it will be tried again.');
    expect(explain(live([created], lived), calm).happened.at(-2)).toContain('try 5: created in Graph');
  });

  test('before a look · says which look it is · and when', () => {
    const lived = live([OUTCOMES.uncertain, absent]);
    expect(explain(lived, { ...calm, now: T + 3000 })).toMatchObject({
      summary: 'Sent, and not yet known whether Graph has it; it will be looked for.',
      waitingFor: `the time set for its next try, ${new Date(lived.dueAt).toISOString().slice(0, 19).replace('T', ' ')} UTC (in ${(lived.dueAt - T) / 1000 - 3} s)`,
      next: 'Then a worker looks in Graph (look 2 of 3): found, it is delivered; not there after the last look, it is created again. Nothing is to be done.',
    });
  });

  test('a lookup without an answer, and one under way · are listed as lookups', () => {
    const lived = begin(live([LOST_WORKER, OUTCOMES.uncertain]), T + 99_000);
    const { happened, summary } = explain(lived, calm);
    expect(happened[2]).toContain('try 2: looked in Graph, but got no answer that can be relied on (Graph said 504');
    expect(happened[3]).toContain('try 3: looking in Graph; no outcome yet');
    expect(summary).toBe('Being looked for in Graph just now.');
  });
});

describe('what stops everyone', () => {
  test.each(HOLD_REASONS)('the hold %s · is waited for · with its remedy and the next probe', (reason) => {
    const hold = { ...aHold, reason, since: T + 5000, detail: 'as Graph said', probeAt: calm.now + 4000 };
    const { happened, waitingFor, next, summary } = explain(fresh(), { ...calm, holds: [hold] });
    expect(happened.at(-1)).toBe(`since 2026-11-24 10:00:05 UTC nobody calls Graph: ${reason}, as Graph said`);
    expect(waitingFor).toBe(`the end of the hold “${reason}”, which concerns every delivery`);
    expect(next).toBe(
      `${REMEDIES[reason]} One delivery at a time probes whether it is fixed, the next one 2026-11-24 10:01:04 UTC (in 4 s). When one gets through, a worker creates it in Graph. Waiting costs this delivery nothing.`,
    );
    expect(summary).toBe('Accepted and stored; it waits for its turn, but nobody may call Graph at present.');
  });

  test('a hold of its configuration · is waited for · and one of another configuration is nothing to it', () => {
    const hold = { ...aHold, hardwareConfigurationId: '1D5C8A52-7E0F-4F1B-9A6D-3C2B1E0F9A81', since: T };
    const { happened, waitingFor, next, summary } = explain(fresh(), { ...calm, holds: [hold] });
    expect(summary).toBe('Accepted and stored; it waits for its turn, but its hardware configuration is held.');
    expect(happened.at(-1)).toBe(
      'since 2026-11-24 10:00:00 UTC the deliveries of this configuration are kept back: forbidden, 403 Forbidden',
    );
    expect(waitingFor).toBe(
      'the end of the hold “forbidden”, which concerns every delivery of its hardware configuration, and no other',
    );
    expect(next).toContain(remedyOfHold(hold));
    const other = { ...hold, hardwareConfigurationId: '99999999-7e0f-4f1b-9a6d-3c2b1e0f9a81' };
    expect(explain(fresh(), { ...calm, holds: [other] })).toEqual(explain(fresh(), calm));
    expect(explain(live([OUTCOMES.uncertain]), { ...calm, holds: [hold] }).summary).not.toContain('held');
  });

  test('a hold · is nothing to a delivery that has ended', () => {
    expect(explain(live([created]), { ...calm, holds: [aHold] })).toEqual(explain(live([created]), calm));
  });

  test('throttling · is waited for, with its end · and nothing is to be done', () => {
    const throttle = { since: T, until: calm.now + 300_000 };
    expect(explain(live([OUTCOMES['not-sent']]), { ...calm, throttle })).toMatchObject({
      summary: 'Stored, and not in Graph yet; it will be tried again, but Graph throttles at present.',
      waitingFor: 'Graph’s throttling to pass, until 2026-11-24 10:06:00 UTC (in 5 min)',
      next: 'Then a worker creates it in Graph, when it is its turn. Nothing is to be done.',
    });
  });
});

describe('a dead letter', () => {
  const die = (code: string) => {
    const lived = live([OUTCOMES.rejected]);
    return { ...lived, lastFailure: lived.lastFailure && { ...lived.lastFailure, code } };
  };

  test.each(Object.entries(DEAD_LETTER_REMEDIES))('%s · has a remedy of its own', (code, remedy) => {
    expect(explain(die(code), calm).next).toBe(remedy);
  });

  test.each(['graph-418', 'toString', ''])('an unforeseen code “%s” · has the general remedy', (code) => {
    expect(remedyOf(code)).toMatch(/^Graph refused this record and would again\./);
  });

  test('the codes that are decided · have remedies of their own', () => {
    const failing = (changes: Partial<Delivery>) =>
      conclude({
        delivery: begin(delivery({ acceptedAt: 0, dueAt: T, failingSince: 1, ...changes }), T),
        outcome: OUTCOMES['not-sent'],
        circumstances: { ...circumstances, now: T + 1 },
        policy,
      }).delivery;
    const codes = [{}, { uncertainty: { since: 1, lookups: 0 } }].map((changes) => failing(changes).lastFailure?.code);
    expect(codes).toEqual(['expired', 'expired-uncertain']);
    expect(codes.every((code) => Object.hasOwn(DEAD_LETTER_REMEDIES, code ?? ''))).toBe(true);
  });

  test('replayed · is back in the queue · with its history', () => {
    const { summary, happened } = explain(replay(live([OUTCOMES.rejected]), T + 50_000), calm);
    expect(summary).toBe('Back in the queue after it had given up; it waits for its turn.');
    expect(happened.map((line) => line.slice(25))).toEqual([
      ACCEPTED.slice(25),
      'try 1: Graph refused this record for its own sake (Graph said 404, request id req-404): 404 ResourceNotFound',
    ]);
  });
});

test('more tries than are kept · are counted · and the others listed', () => {
  const lived = live(Array.from({ length: 52 }, () => OUTCOMES['not-sent']));
  const { happened } = explain(lived, calm);
  expect(happened[1]).toBe('2026-11-24 10:00:00 UTC  2 earlier tries, whose details are not kept');
  expect(happened).toHaveLength(52);
});

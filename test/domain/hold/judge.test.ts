// Who is held for what: outcome after outcome, by what they say of the way to Graph, of everybody or of one configuration.
import { describe, expect, test } from 'vitest';
import type { Outcome } from '../../../src/domain/delivery.ts';
import { REJECTIONS_UNTIL_HOLD } from '../../../src/domain/hold/tenant-effect.ts';
import { effectOf } from '../../support/conclude.ts';
import type { Failure } from '../../../src/domain/attempt/failure.ts';
import {
  FORGOTTEN_AFTER_MS,
  keyOfHold,
  summariseHolds,
  tenantHold,
  type HoldKey,
  type Operation,
} from '../../../src/domain/hold/hold.ts';
import {
  giveBack,
  judge,
  NOTHING_KNOWN,
  WITNESS_MS,
  type Judgement,
  type Knowledge,
} from '../../../src/domain/hold/judge.ts';
import { fc } from '../../support/properties.ts';

const [A, B, C] = ['a', 'b', 'c'].map((letter) => `${letter.repeat(8)}-0000-4000-8000-000000000000`) as [
  string,
  string,
  string,
];
const PROBE_MS = 2000;

const graph = (status: number, code: string | null = null) => ({ status, code, requestId: 'q' });
const created: Outcome = { kind: 'created', deviceRunStateId: 'r', graph: { status: 201, requestId: 'q' } };
const found: Outcome = { kind: 'found', deviceRunStateId: 'r', graph: { status: 200, requestId: 'q' } };
const absent: Outcome = { kind: 'absent', graph: { status: 200, requestId: 'q' } };
const forbidden: Failure = { kind: 'forbidden', detail: '403', graph: graph(403) };
const unserved: Failure = { kind: 'route-not-served', detail: '400 No method match', graph: graph(400) };
const unauthenticated: Failure = { kind: 'unauthenticated', detail: '401', graph: graph(401) };
const failing: Failure = { kind: 'uncertain', detail: '500', graph: graph(500) };
const throttled: Failure = { kind: 'throttled', retryAfterMs: 1, detail: '429', graph: graph(429) };
const notSent: Failure = { kind: 'not-sent', upstream: 'graph', detail: 'ECONNREFUSED', graph: null };
const refused: Failure = { kind: 'credential-refused', detail: 'AADSTS7000222', graph: null };
const conflict: Failure = { kind: 'conflict', detail: '409', graph: graph(409) };
const delayed: Failure = { kind: 'delayed', detail: 'stood still', graph: null };
const rejected = (status = 400, code = 'BadRequest'): Failure => ({
  kind: 'rejected',
  status,
  detail: `${status} ${code}`,
  graph: graph(status, code),
});

type Step = [
  outcome: Outcome,
  of: string,
  more?: { id?: string; operation?: Operation; probes?: HoldKey[]; at?: number },
];

/** Plays outcomes of different deliveries, one a millisecond. @returns what came of the last one */
function play(steps: readonly Step[], from: Knowledge = NOTHING_KNOWN): Judgement {
  let judged: Judgement = { knowledge: from, began: [], ended: [], goOn: [], kept: false };
  steps.forEach(([outcome, hardwareConfigurationId, more = {}], index) => {
    const { id = `d${index}`, operation = 'create', probes = [], at = 1000 + index } = more;
    const evidence = {
      effect: effectOf(outcome, operation),
      operation,
      deliveryId: id,
      hardwareConfigurationId,
      probes,
    };
    judged = judge({ before: judged.knowledge, evidence, now: at, holdProbeMs: PROBE_MS });
  });
  return judged;
}

const many = (count: number, outcome: Outcome, of: string, more: Step[2] = {}): Step[] =>
  Array.from({ length: count }, (_, index) => [outcome, of, { id: `m${index}`, ...more }]);
const held = ({ knowledge }: Judgement) =>
  Object.entries(knowledge.holds)
    .map(([, { reason, hardwareConfigurationId: of, about }]) => `${about} ${of?.[0] ?? 'all'}: ${reason}`)
    .toSorted();

describe('who is held', () => {
  test.each<[string, Step[], string[]]>([
    ['nothing but success', [[created, A]], []],
    ['403 before anything was created', [[forbidden, A]], ['create a: forbidden', 'create all: forbidden']],
    [
      '403 while another is created',
      [
        [created, B],
        [forbidden, A],
      ],
      ['create a: forbidden'],
    ],
    [
      '403 of one that was created itself',
      [
        [created, A],
        [forbidden, A],
      ],
      ['create a: forbidden', 'create all: forbidden'],
    ],
    [
      '403 of the last one that worked',
      [
        [created, A],
        [created, B],
        [forbidden, A],
        [forbidden, B],
      ],
      ['create a: forbidden', 'create all: forbidden', 'create b: forbidden'],
    ],
    [
      '403 long after another was created',
      [
        [created, B],
        [forbidden, A, { at: 1000 + WITNESS_MS }],
      ],
      ['create a: forbidden', 'create all: forbidden'],
    ],
    [
      '401 while another is created',
      [
        [created, B],
        [unauthenticated, A],
      ],
      ['create a: unauthenticated'],
    ],
    [
      'a route not served while another is',
      [
        [created, B],
        [unserved, A],
      ],
      ['create a: route-not-served'],
    ],
    ['a route not served at all', [[unserved, A]], ['create a: route-not-served', 'create all: route-not-served']],
    [
      '403 of a look while others are created',
      [
        [created, B],
        [forbidden, A, { operation: 'look' }],
      ],
      ['look a: forbidden'],
    ],
    [
      '403 while another is only looked up',
      [
        [absent, B, { operation: 'look' }],
        [forbidden, A],
      ],
      ['create a: forbidden', 'create all: forbidden'],
    ],
    ['four that fail', many(4, failing, A), []],
    ['five that fail', many(5, failing, A), ['create a: graph-unavailable', 'create all: graph-unavailable']],
    [
      'five that fail while another is created',
      [[created, B], ...many(5, failing, A)],
      ['create a: graph-unavailable'],
    ],
    ['one that fails again and again', many(50, failing, A, { id: 'same' }), []],
    ['two that fail by turns', [...many(9, failing, A).map(([o, of], i): Step => [o, of, { id: `d${i % 2}` }])], []],
    [
      'five that fail, each of another configuration',
      [A, B, C, `${'d'.repeat(8)}-0000-4000-8000-000000000000`, `${'e'.repeat(8)}-0000-4000-8000-000000000000`].map(
        (of): Step => [failing, of],
      ),
      ['create all: graph-unavailable'],
    ],
    ['four, a success, four', [...many(4, failing, A), [created, A], ...many(4, failing, A)], []],
    [
      'a credential that is refused',
      [
        [created, B],
        [refused, A],
      ],
      ['any all: credential-refused'],
    ],
    [
      'five times not sent, whoever',
      [[created, B], ...many(5, notSent, A, { id: 'same' })],
      ['any all: graph-unavailable'],
    ],
    ['a throttling', many(50, throttled, A), []],
    ['nine rejected alike', many(9, rejected(), A), []],
    ['ten rejected alike', many(10, rejected(), A), ['create a: all-rejected', 'create all: all-rejected']],
    ['one rejected again and again', many(50, rejected(), A, { id: 'same' }), []],
    [
      'ten rejected alike while another is created',
      [[created, B], ...many(10, rejected(), A)],
      ['create a: all-rejected'],
    ],
    ['ten rejected with a success between', [...many(9, rejected(), A), [created, A], ...many(9, rejected(), A)], []],
    ['ten rejected, five in one way', [...many(5, rejected(), A), ...many(5, rejected(422, 'x'), A)], []],
    [
      'ten rejected alike, with odd ones between',
      many(10, rejected(), A).flatMap((step, index): Step[] => [
        step,
        [rejected(413, 'big'), A, { id: `b${index % 3}` }],
      ]),
      ['create a: all-rejected', 'create all: all-rejected'],
    ],
    [
      'ten rejected alike over three configurations',
      [A, B, C, A, B, C, A, B, C, A].map((of): Step => [rejected(), of]),
      ['create all: all-rejected'],
    ],
    ['a configuration that is not there', many(50, rejected(404, 'ResourceNotFound'), A), []],
    [
      'every configuration not there',
      [A, B, C, A, B, C, A, B, C, A].map((of): Step => [rejected(404), of]),
      ['create all: all-rejected'],
    ],
    ['what this process delayed', many(50, delayed, A), []],
    ['what was missed while this process stood still', many(50, { ...failing, stoodStill: true }, A), []],
    ['creates that collide', many(50, conflict, A), []],
    ['rejections of looks', many(50, rejected(), A, { operation: 'look' }), []],
  ])('%s · %#', (_, steps, expected) => {
    expect(held(play(steps))).toEqual(expected);
  });

  test('the same configuration in other letters · is the same', () => {
    const { knowledge } = play([
      [created, B],
      [forbidden, A.toUpperCase()],
    ]);
    expect(Object.keys(knowledge.holds)).toEqual([keyOfHold('create', A)]);
  });
});

describe('what ends a hold', () => {
  const all = play([[forbidden, A]]).knowledge;

  test('a create of another configuration · ends the tenant’s hold · and leaves that of the one to blame', () => {
    expect(held(play([[created, B]], all))).toEqual(['create a: forbidden']);
    expect(held(play([[created, B, { probes: ['create'] }]], all))).toEqual(['create a: forbidden']);
  });

  test('a create of its own that was still on its way · ends nothing', () => {
    expect(held(play([[created, A]], all))).toHaveLength(2);
  });

  test('its own probe · ends it and the tenant’s · and others that are held are tried at once', () => {
    const both = play([[forbidden, B]], all).knowledge;
    const judged = play([[created, A, { probes: ['create', keyOfHold('create', A)], at: 9000 }]], both);
    expect(held(judged)).toEqual(['create b: forbidden']);
    expect(judged.ended).toHaveLength(2);
    expect(judged.knowledge.holds[keyOfHold('create', B)]).toMatchObject({
      probes: 0,
      probeAt: expect.toSatisfy((at: number) => at <= 9000) as number,
    });
  });

  test('reading · ends no hold on creates · however often it works', () => {
    const down = play([[created, B], ...many(5, failing, A)]).knowledge;
    expect(held(play(many(20, absent, A, { operation: 'look' }), down))).toEqual(['create a: graph-unavailable']);
    const allDown = play(many(5, failing, A)).knowledge;
    expect(held(play(many(20, absent, B, { operation: 'look' }), allDown))).toHaveLength(2);
  });

  test('a hold on lookups of everybody · ends with a create of another · since that reaches further', () => {
    const down = play(many(5, failing, A, { operation: 'look' })).knowledge;
    expect(held({ ...play([]), knowledge: down })).toEqual([
      'look a: graph-unavailable',
      'look all: graph-unavailable',
    ]);
    expect(held(play([[created, B]], down))).toEqual(['look a: graph-unavailable']);
  });

  test.each<[string, Outcome, boolean]>([
    ['created', created, true],
    ['not there', absent, true],
    ['rejected', rejected(), true],
    ['forbidden', forbidden, true],
    ['throttled', throttled, true],
    ['no answer that can be relied on', failing, false],
    ['not sent', notSent, false],
  ])('a credential that was refused · and a probe that is %s', (_, outcome, ends) => {
    const { knowledge } = play([[refused, A]]);
    const { holds } = play([[outcome, B, { probes: ['any'] }]], knowledge).knowledge;
    expect(holds['any'] === undefined).toBe(ends);
  });

  test('a rejected probe · ends a hold for anything else · and none for rejections', () => {
    const probes = ['create', keyOfHold('create', A)] as HoldKey[];
    expect(held(play([[rejected(), A, { probes }]], all))).toEqual([]);
    const rejecting = play(many(10, rejected(), A)).knowledge;
    expect(held(play([[rejected(422), A, { probes }]], rejecting))).toHaveLength(2);
  });
});

describe('probes', () => {
  const all = play([[forbidden, A]]).knowledge;

  test('one that fails for a configuration that had not failed · holds that too · and the next one need not wait', () => {
    const judged = play([[failing, B, { probes: ['create'], at: 3000 }]], all);
    expect(held(judged)).toEqual(['create a: forbidden', 'create all: forbidden', 'create b: graph-unavailable']);
    expect(judged.knowledge.holds['create']).toMatchObject({ probes: 1, probeAt: 7000, tryOthersAt: 3000 });
  });

  test('one that fails for the reason that is known · waits longer each time · up to fifteen times', () => {
    let { knowledge } = play([
      [created, B],
      [forbidden, A],
    ]);
    const waits = Array.from({ length: 6 }, (_, index) => {
      const at = 10_000 * (index + 1);
      ({ knowledge } = play([[forbidden, A, { probes: [keyOfHold('create', A)], at }]], knowledge));
      return (knowledge.holds[keyOfHold('create', A)]?.probeAt ?? 0) - at;
    });
    expect(waits).toEqual([4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  });

  test('one that fails for another reason · is news · and still waits longer', () => {
    const { knowledge, began, ended } = play(
      [[unserved, A, { probes: [keyOfHold('create', A)], at: 5000 }]],
      play([
        [created, B],
        [forbidden, A],
      ]).knowledge,
    );
    expect([ended, began]).toMatchObject([[{ reason: 'forbidden' }], [{ reason: 'route-not-served', since: 5000 }]]);
    expect(knowledge.holds[keyOfHold('create', A)]).toMatchObject({ probes: 1 });
  });

  test.each<[string, Outcome]>([
    ['throttled', throttled],
    ['not sent', notSent],
    ['forbidden', forbidden],
    ['rejected', rejected()],
    ['uncertain', failing],
    ['created', created],
  ])('one that is %s · gives its turn back · whatever it says', (_, outcome) => {
    const of: Knowledge = {
      ...all,
      holds: Object.fromEntries(
        Object.entries(all.holds).map(([key, hold]) => [key, { ...hold, probe: 'd0', probeAt: 99_999 }]),
      ),
    };
    const { holds } = play([[outcome, A, { id: 'd0', at: 5000 }]], of).knowledge;
    for (const hold of Object.values(holds)) {
      expect(hold.probe).toBeNull();
      expect(hold.probeAt).toBeLessThanOrEqual(5000 + 15 * PROBE_MS);
    }
    expect(
      Object.values(giveBack(of, 'd0', 5000).holds).every(({ probe, probeAt }) => probe === null && probeAt === 5000),
    ).toBe(true);
  });
});

describe('what is kept', () => {
  test('the tenth rejection · is the last that is judged for itself · and what follows is kept', () => {
    const tenth = play(many(10, rejected(), A));
    expect(tenth.kept).toBe(false);
    expect(play([[rejected(), A, { id: 'in-flight' }]], tenth.knowledge).kept).toBe(true);
    expect(play([[rejected(), B, { id: 'other' }]], tenth.knowledge).kept).toBe(true);
    const alone = play([[created, B], ...many(10, rejected(), A)]).knowledge;
    expect(play([[rejected(), A]], alone).kept).toBe(true);
    expect(play([[rejected(), B]], alone).kept).toBe(false);
  });

  test('a rejection under a hold for something else · is its own', () => {
    expect(play([[rejected(), A, { id: 'x' }]], play([[forbidden, A]]).knowledge).kept).toBe(false);
  });

  test('a failure under a hold · does not age its delivery', () => {
    expect(play([[failing, A]]).kept).toBe(false);
    expect(
      play(
        [[failing, A]],
        play([
          [created, B],
          [forbidden, A],
        ]).knowledge,
      ).kept,
    ).toBe(true);
    expect(play([[notSent, B]], play([[refused, A]]).knowledge).kept).toBe(true);
  });
});

const outcomes = [
  created,
  absent,
  forbidden,
  unserved,
  unauthenticated,
  failing,
  throttled,
  notSent,
  refused,
  conflict,
  rejected(),
  rejected(404),
  rejected(422),
];
test.each<[string, Failure]>([
  ['404: the configuration is gone', rejected(404, 'ResourceNotFound')],
  ['400', rejected()],
  ['409', conflict],
])('a lookup that Graph decides on · %s · ends what held lookups for another reason', (_, answer) => {
  const { knowledge } = play([[forbidden, A, { operation: 'look' }]]);
  const probes = Object.keys(knowledge.holds) as HoldKey[];
  expect(probes).toHaveLength(2);
  expect(held(play([[answer, A, { operation: 'look', probes }]], knowledge))).toEqual([]);
});

test.each<[string, Failure, Operation]>([
  ['a lookup', rejected(404, 'ResourceNotFound'), 'look'],
  ['a create', rejected(410, 'Gone'), 'create'],
])(
  '%s hears that the configuration does not exist · and its holds end, whatever they are about',
  (_, answer, operation) => {
    const { knowledge } = play([
      [created, B],
      ...many(5, failing, A),
      ...many(5, failing, A, { operation: 'look' }),
      ...many(5, failing, C),
    ]);
    expect(held(play([], knowledge))).toEqual([
      'create a: graph-unavailable',
      'create c: graph-unavailable',
      'look a: graph-unavailable',
    ]);
    expect(held(play([[answer, A, { operation }]], knowledge))).toEqual(['create c: graph-unavailable']);
  },
);

test('two configurations that do not exist hold all · each that is probed is held itself · and dies once another is created', () => {
  const own = keyOfHold('create', A);
  const all = play([A, B, A, B, A, B, A, B, A, B].map((of): Step => [rejected(404), of])).knowledge;
  expect(held(play([], all))).toEqual(['create all: all-rejected']);
  const turn = play([[rejected(404), A, { probes: ['create'], at: 5000 }]], all);
  expect(held(turn)).toEqual(['create a: all-rejected', 'create all: all-rejected']);
  expect(turn.kept).toBe(true);
  // Others need not wait for those that do not exist, however many of them came first.
  expect(turn.knowledge.holds['create']).toMatchObject({ tryOthersAt: 5000 });
  const again = play([[rejected(404), A, { probes: [own, 'create'], at: 5001 }]], turn.knowledge);
  expect([held(again), again.kept]).toEqual([held(turn), true]);
  const proven = play([[created, C, { probes: ['create'], at: 6000 }]], again.knowledge);
  expect(held(proven)).toEqual(['create a: all-rejected']);
  const gone = play([[rejected(404), A, { probes: [own], at: 6001 }]], proven.knowledge);
  expect([held(gone), gone.kept]).toEqual([[], false]);
});

test('a configuration whose creates were all rejected · and that no longer exists · is held no more', () => {
  const { knowledge } = play([[created, B], ...many(10, rejected(400), A)]);
  expect(held(play([], knowledge))).toEqual(['create a: all-rejected']);
  const gone = play([[rejected(404), A, { probes: [keyOfHold('create', A)] }]], knowledge);
  expect([held(gone), gone.kept]).toEqual([[], false]);
});

test('a configuration’s hold that keeps nothing back · ends with the last delivery found · not while another is parked, nor by a lookup in vain', () => {
  const { knowledge } = play([[created, B], ...Array.from({ length: 5 }, (): Step => [failing, A])]);
  const look = (outcome: Outcome, parked: HoldKey[]) =>
    held(play([[outcome, A, { operation: 'look', id: 'd1' }]], { ...knowledge, parked }));
  expect(look(found, [])).toEqual([]);
  expect(look(absent, [])).toEqual(['create a: graph-unavailable']);
  expect(look(found, [keyOfHold('create', A)])).toEqual(['create a: graph-unavailable']);
  expect(held(play([[found, B, { operation: 'look' }]], { ...knowledge, parked: [] }))).toHaveLength(1);
});

test('a configuration’s hold that nothing is left to probe · is forgotten after an hour · the tenant’s is not', () => {
  const { knowledge } = play([[forbidden, A]]);
  const later = (at: number) => held(play([[delayed, B, { at }]], knowledge));
  expect(later(1000 + PROBE_MS + FORGOTTEN_AFTER_MS)).toHaveLength(2);
  expect(later(1001 + PROBE_MS + FORGOTTEN_AFTER_MS)).toEqual(['create all: forbidden']);
  knowledge.parked = [keyOfHold('create', A)];
  expect(later(1001 + PROBE_MS + FORGOTTEN_AFTER_MS)).toHaveLength(2);
});

const step = fc.record({
  outcome: fc.constantFrom(...outcomes),
  of: fc.constantFrom(A, B, C),
  operation: fc.constantFrom<Operation>('create', 'look'),
  id: fc.integer({ min: 0, max: 30 }).map((number) => `d${number}`),
  isProbe: fc.boolean(),
});

test('any history · leaves what is known small, one claim a delivery at most, and nobody held without a cause', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      let knowledge = NOTHING_KNOWN;
      steps.forEach(({ outcome, of, operation, id, isProbe }, index) => {
        const isLook = operation === 'look';
        if ((outcome.kind === 'created' && isLook) || (outcome.kind === 'absent' && !isLook)) return;
        const before = knowledge;
        const own = keyOfHold(operation, of);
        const probes = isProbe ? ([own, operation, 'any'] as HoldKey[]).filter((key) => before.holds[key]) : [];
        const evidence = {
          effect: effectOf(outcome, operation),
          operation,
          deliveryId: id,
          hardwareConfigurationId: of,
          probes,
        };
        const judged = judge({ before, evidence, now: 1000 * index, holdProbeMs: PROBE_MS });
        ({ knowledge } = judged);
        const newly = Object.keys(knowledge.holds).filter((key) => !before.holds[key]);
        if (outcome.kind === 'created' || outcome.kind === 'absent' || outcome.kind === 'throttled')
          expect(newly).toEqual([]);
        // A configuration's hold begins with its own failures alone.
        for (const key of newly) if (key.includes(':')) expect(key).toBe(own);
        // It ends with its own probe alone, or when Graph says that the configuration does not exist.
        const isGone = outcome.kind === 'rejected' && outcome.status === 404;
        for (const key of Object.keys(before.holds)) {
          if (!key.includes(':') || knowledge.holds[key]) continue;
          if (isGone) expect([keyOfHold('create', of), keyOfHold('look', of)]).toContain(key);
          else expect([key, isProbe]).toEqual([own, true]);
        }
        expect(JSON.parse(JSON.stringify(knowledge))).toEqual(knowledge);
      });
      for (const { tallies } of Object.values(knowledge.suspicions)) {
        expect(Object.keys(tallies).length).toBeLessThanOrEqual(4);
        for (const { deliveries } of Object.values(tallies))
          expect(deliveries.length).toBeLessThanOrEqual(REJECTIONS_UNTIL_HOLD);
      }
    }),
    { numRuns: 300 },
  );
});

test('holds as they are summarised · one for each cause and scope · the tenant’s first, and what it explains left out', () => {
  const { knowledge } = play([
    [forbidden, A],
    [forbidden, B],
    [unserved, C],
  ]);
  const summaries = summariseHolds(Object.values(knowledge.holds));
  expect(summaries.map(({ reason, hardwareConfigurationId: of }) => [reason, of])).toEqual([
    ['forbidden', null],
    ['route-not-served', C],
  ]);
  expect(tenantHold(Object.values(knowledge.holds))).toMatchObject({ reason: 'forbidden' });
  const looks = play(many(5, failing, A, { operation: 'look' })).knowledge;
  expect(tenantHold(Object.values(looks.holds))).toBeNull();
});

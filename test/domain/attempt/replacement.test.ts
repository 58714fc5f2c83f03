// Whether a record whose id Graph gave twice was replaced: a table.
import { expect, test } from 'vitest';
import type { Attempt, Outcome } from '../../../src/domain/delivery.ts';
import { isReplaced } from '../../../src/domain/attempt/replacement.ts';
import { delivery, now } from '../sample.ts';

const graph = { status: 201, requestId: null };
const created: Outcome = { kind: 'created', deviceRunStateId: 'row', graph };
const found: Outcome = { kind: 'found', deviceRunStateId: 'row', graph };
const attempt = (outcome: Attempt['outcome']): Attempt => ({
  number: 1,
  at: now,
  outcome,
  graphStatus: 201,
  graphRequestId: null,
});
const owner = (outcome: Attempt['outcome'], deliveredAt: number) =>
  delivery({ attempts: [attempt(outcome)], deliveredAt });
const sent = delivery({ intent: { at: now, sends: 'create' } });
const unsure = delivery({ uncertainty: { since: now, lookups: 0 }, intent: { at: now + 500, sends: 'look' } });

test.each([
  ['created, with the owner’s own create answered before', created, owner('created', now - 100), sent, false, true],
  ['created, with the owner’s own create answered meanwhile', created, owner('created', now + 100), sent, false, true],
  ['created, after the owner found the record', created, owner('found', now - 1), sent, false, true],
  [
    'created, while the owner found a record that may be this one’s',
    created,
    owner('found', now + 1),
    sent,
    false,
    false,
  ],
  ['found, where Graph keeps a record of each run', found, owner('created', now - 100), unsure, false, false],
  ['found, where Graph keeps one row per device', found, owner('created', now - 100), unsure, true, true],
  ['found, where the owner had it later', found, owner('created', now + 100), unsure, true, false],
] as const)('%s · is replaced or not', (_, outcome, has, one, oneRowPerDevice, expected) => {
  expect(isReplaced({ owner: has, outcome, delivery: one, oneRowPerDevice })).toBe(expected);
});

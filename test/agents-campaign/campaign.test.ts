// The campaign itself: its oracle notices each kind of broken promise, and a short run of it keeps all.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createShAgent } from './agents.ts';
import { judge, type Facts } from './oracle.ts';
import { createPlan } from './plan.ts';
import { runOnce } from './run.ts';
import { openStage, type Stage } from './stage.ts';

const file = (name: string, text = '') => ({ name, text, mode: 0o600 });
const refused = [file('refused/1-b.json'), file('refused/1-b.json.answer', '{"code":"invalid-run-result"}')];
const ran = (runId: string, code: number | null, isPoison = false) => ({ runId, code, isPoison });
const KEPT: Facts = {
  promised: [ran('a', 0), ran('b', 65, true), ran('c', null), ran('d', 73)],
  records: ['a'],
  files: refused,
};

const BROKEN: [what: string, facts: Partial<Facts>, violation: string][] = [
  ['a record twice', { records: ['a', 'a'] }, 'a: 2 records'],
  ['a result that is lost', { records: [] }, 'a: lost after 0'],
  ['a result that is kept but never sent', { promised: [...KEPT.promised, ran('e', 75)] }, 'e: lost after 75'],
  ['a record of what could not be kept', { records: ['a', 'd'] }, 'd: a record after 73'],
  ['a record of what was refused', { records: ['a', 'b'] }, 'b: refused, and a record'],
  ['a refusal without its reason', { files: refused.slice(0, 1) }, 'b: refused without a reason'],
  ['a record of no run', { records: ['a', 'z'] }, 'z: a record of no run'],
  ['something left in the spool', { files: [...refused, file('2-a.json')] }, '2-a.json: left in the spool'],
];

test('promises that were kept · are no violations', () => {
  expect(judge(KEPT)).toEqual([]);
  expect(judge({ ...KEPT, records: ['a', 'c'] })).toEqual([]);
});

test.each(BROKEN)('%s · is noticed', (_what, facts, violation) => {
  expect(judge({ ...KEPT, ...facts })).toEqual([violation]);
});

test('a plan · is the same · for the same seed', () => {
  expect(createPlan(7, 30)).toEqual(createPlan(7, 30));
  expect(createPlan(7, 30)).not.toEqual(createPlan(8, 30));
});

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

test('a short run · keeps its promises', { timeout: 120_000 }, async () => {
  const { violations, counts } = await runOnce(stage, { agent: createShAgent('sh'), seed: 2, steps: 4 });
  expect(violations).toEqual([]);
  expect(counts.invocations).toBeGreaterThan(3);
});

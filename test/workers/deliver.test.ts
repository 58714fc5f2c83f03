// One attempt: create, or look for what an unanswered create may have left – and never take another delivery's record.
import { expect, test } from 'vitest';
import { begin, createDelivery, type Outcome } from '../../src/domain/delivery.ts';
import { toDeviceRunState, type DeviceRunState } from '../../src/domain/device-run-state.ts';
import type { Failure } from '../../src/domain/attempt/failure.ts';
import { createLookUp } from '../../src/graph/lookup/look-up.ts';
import { createDeliver, type Records } from '../../workers/deliver.ts';
import { run } from '../domain/sample.ts';
import { startGraph } from '../support/graph.ts';

const { signal } = new AbortController();
const fresh = createDelivery({ tenantId: 'tenant-1', run, now: 1000 });
const creating = begin(fresh, 2000);
const looking = begin({ ...fresh, uncertainty: { since: 1500, lookups: 0 } }, 2000);
const created: Outcome = { kind: 'created', deviceRunStateId: 's1', graph: { status: 201, requestId: 'r1' } };

/** An outside that notes what it is asked and answers as told. */
function outside(found: Records | Failure, claimed: readonly string[] = []) {
  const asked: unknown[][] = [];
  const deliver = createDeliver({
    create: (state: DeviceRunState, announcedAt: number) => {
      asked.push(['create', state, announcedAt]);
      return Promise.resolve(created);
    },
    find: (state, _signal, from) => {
      asked.push(['find', state, ...(from === null ? [] : [from])]);
      return Promise.resolve(found);
    },
    claimable: (ids, deliveryId) => {
      asked.push(['claimable', ids, deliveryId]);
      return Promise.resolve(ids.filter((id) => !claimed.includes(id)));
    },
  });
  return { asked, deliver };
}
const records = (...ids: string[]): Records => ({ kind: 'records', ids, requestId: 'r2' });

test('a create · is made of the run · and tells when it was announced', async () => {
  const { asked, deliver } = outside(records());
  expect(await deliver(creating, run, signal)).toEqual(created);
  expect(asked).toEqual([['create', toDeviceRunState(run), 2000]]);
});

test('an uncertain delivery · is looked for · and never created in the same attempt', async () => {
  const { asked, deliver } = outside(records());
  expect(await deliver(looking, run, signal)).toEqual({ kind: 'absent', graph: { status: 200, requestId: 'r2' } });
  expect(asked.map(([what]) => what)).toEqual(['find', 'claimable']);
});

test('a record found · is this delivery’s · unless another one has it', async () => {
  const graph = { status: 200, requestId: 'r2' };
  const { deliver, asked } = outside(records('a', 'b'), ['a']);
  expect(await deliver(looking, run, signal)).toEqual({ kind: 'found', deviceRunStateId: 'b', graph });
  expect(asked.at(-1)).toEqual(['claimable', ['a', 'b'], fresh.id]);
  const none = outside(records('a'), ['a']);
  expect(await none.deliver(looking, run, signal)).toEqual({ kind: 'absent', graph });
});

test('a listing that was not read to its end · says nothing of what is not found · and is read on from there', async () => {
  const unread = { detail: 'more pages', next: 'https://graph/3' };
  const partly = (ids: string[], claimed: string[] = []) => outside({ ...records(...ids), unread }, claimed);
  const graph = { status: 200, requestId: 'r2', code: null };
  expect(await partly([]).deliver(looking, run, signal)).toEqual({ kind: 'inconclusive', ...unread, graph });
  expect(await partly(['a'], ['a']).deliver(looking, run, signal)).toMatchObject({ kind: 'inconclusive' });
  expect(await partly(['a']).deliver(looking, run, signal)).toMatchObject({ kind: 'found', deviceRunStateId: 'a' });
  const { asked, deliver } = partly([]);
  await deliver(
    begin({ ...looking, uncertainty: { since: 1500, lookups: 0, next: 'https://graph/2' } }, 3000),
    run,
    signal,
  );
  expect(asked[0]).toEqual(['find', toDeviceRunState(run), 'https://graph/2']);
});

test('a look that fails · is reported as it is · and claims nothing', async () => {
  const failure: Failure = { kind: 'throttled', retryAfterMs: 5, detail: '429', graph: null };
  const { deliver, asked } = outside(failure);
  expect(await deliver(looking, run, signal)).toBe(failure);
  expect(asked.map(([what]) => what)).toEqual(['find']);
});

test('a create whose answer was lost · is found in Graph by the next attempt · and is there once', async () => {
  await using graph = await startGraph();
  const deliver = createDeliver({
    create: graph.client.create,
    find: createLookUp({ graph: graph.client, takeTurn: () => Promise.resolve(), clock: Date.now }),
    claimable: (ids) => Promise.resolve([...ids]),
  });
  const reported = { ...run, hardwareConfigurationId: graph.configurationId };
  const first = begin(createDelivery({ tenantId: 'tenant-1', run: reported, now: Date.now() }), Date.now());
  graph.sandbox.script('next create: 504 after the write');
  expect(await deliver(first, reported, signal)).toMatchObject({ kind: 'uncertain' });
  const second = begin({ ...first, uncertainty: { since: Date.now(), lookups: 0 } }, Date.now());
  expect(await deliver(second, reported, signal)).toMatchObject({
    kind: 'found',
    deviceRunStateId: graph.sandbox.records()[0]?.id,
  });
  expect(graph.sandbox.stats()).toMatchObject({ createsApplied: 1, duplicates: 0 });
});

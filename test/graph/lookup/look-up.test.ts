// Looking for a record whose create was never answered: by $filter, else through a listing all who ask share, never guessing.
import { describe, expect, test } from 'vitest';
import type { DeviceRunState } from '../../../src/domain/device-run-state.ts';
import { createLookUp } from '../../../src/graph/lookup/look-up.ts';
import { startGraph, type GraphWorld, type Wishes } from '../../support/graph.ts';
import { startRawGraph } from '../../support/raw-graph.ts';

const { signal } = new AbortController();

/** A look-up beside a sandbox; `paced` counts the turns it asked for, `ahead` moves its clock. */
async function startLookUp(sandbox: NonNullable<Wishes['sandbox']> = {}) {
  const graph = await startGraph({
    sandbox: { limiter: { writesPer20s: 100_000, requestsPer20s: 100_000 }, ...sandbox },
  });
  const state = { paced: 0, ahead: 0 };
  const pace = () => Promise.resolve((state.paced += 1));
  const find = createLookUp({ graph: graph.client, takeTurn: pace, clock: () => Date.now() + state.ahead });
  return { ...graph, look: state, find: (sought: DeviceRunState) => find(sought, signal) };
}

const lists = ({ sandbox }: GraphWorld) =>
  sandbox
    .requests()
    .filter(({ operation }) => operation === 'list')
    .map(({ path, status }) => `${decodeURIComponent(path.split('?')[1] ?? 'all')} ${status}`);
const idOf = async (graph: GraphWorld, state: DeviceRunState) => {
  const outcome = await graph.create(state);
  return outcome.kind === 'created' ? outcome.deviceRunStateId : outcome.kind;
};

describe('where $filter works', () => {
  test('a record that is there · is found · in one request', async () => {
    await using graph = await startLookUp();
    const id = await idOf(graph, graph.state());
    await idOf(graph, graph.state({ deviceName: 'another' }));
    expect(await graph.find(graph.state())).toEqual({
      kind: 'records',
      ids: [id],
      requestId: graph.sandbox.requests().at(-1)?.requestId,
    });
    expect(lists(graph)).toEqual(["$filter=deviceName eq 'BER-DEL-00001' 200"]);
    expect(graph.look.paced).toBe(0);
  });

  test('a record that is not there · is not found · nor is one of another run', async () => {
    await using graph = await startLookUp();
    await idOf(graph, graph.state({ internalVersion: 5 }));
    expect(await graph.find(graph.state())).toMatchObject({ kind: 'records', ids: [] });
  });

  test('two runs that differ by 100 ns of completion · are distinguished · each its own', async () => {
    await using graph = await startLookUp();
    const early = graph.state({ lastStateUpdateDateTime: '2026-11-20T10:00:00.1234567+01:00' });
    const late = graph.state({ lastStateUpdateDateTime: '2026-11-20T10:00:00.1234568+01:00' });
    const earlyId = await idOf(graph, early);
    expect(await graph.find(late)).toMatchObject({ ids: [] });
    const lateId = await idOf(graph, late);
    expect(await graph.find(early)).toMatchObject({ ids: [earlyId] });
    expect(await graph.find(late)).toMatchObject({ ids: [lateId] });
  });

  test.each(["O'Brien’s PC", "''", 'A&B=C', '50% + #1?', 'Büro 😀', "x' or deviceName eq 'y", ' spaced '])(
    'a device name that needs care · %j · is found',
    async (deviceName) => {
      await using graph = await startLookUp();
      const id = await idOf(graph, graph.state({ deviceName }));
      await idOf(graph, graph.state({ deviceName: 'y' }));
      expect(await graph.find(graph.state({ deviceName }))).toMatchObject({ kind: 'records', ids: [id] });
      expect(lists(graph)).toHaveLength(1);
    },
  );

  test('many records of one device · over pages · are all looked at, each page in its turn', async () => {
    await using graph = await startLookUp({ pageSize: 2 });
    for (let version = 1; version <= 5; version++) await graph.create(graph.state({ internalVersion: version }));
    const found = await graph.find(graph.state({ internalVersion: 5 }));
    expect(found.kind === 'records' && found.ids).toHaveLength(1);
    expect(lists(graph)).toHaveLength(3);
    expect(graph.look.paced).toBe(2);
  });

  test('a list that lags · does not show the record yet · and shows it later', async () => {
    const time = { now: Date.now() };
    await using graph = await startLookUp({ listLagMs: 5000, now: () => time.now });
    const id = await idOf(graph, graph.state());
    expect(await graph.find(graph.state())).toMatchObject({ ids: [] });
    time.now += 5001;
    expect(await graph.find(graph.state())).toMatchObject({ ids: [id] });
  });

  test.each([
    ['503 with Retry-After 3', { kind: 'throttled', retryAfterMs: 3000 }],
    ['504', { kind: 'uncertain' }],
    ['reset', { kind: 'uncertain' }],
    ['403', { kind: 'forbidden' }],
    ['404', { kind: 'rejected', status: 404 }],
  ])('a look that fails · %s · is reported as it is · and $filter is not given up', async (fault, failure) => {
    await using graph = await startLookUp();
    graph.sandbox.script(`next list: ${fault}`);
    expect(await graph.find(graph.state())).toMatchObject(failure);
    await graph.find(graph.state());
    expect(lists(graph)).toContain("$filter=deviceName eq 'BER-DEL-00001' 200");
  });
});

describe.each(['400', '501'] as const)('where $filter is refused with %s', (filterSupport) => {
  test('the record · is found in the listing, newest first · and $filter is not tried again for an hour', async () => {
    await using graph = await startLookUp({ filterSupport });
    const id = await idOf(graph, graph.state());
    expect(await graph.find(graph.state())).toMatchObject({ kind: 'records', ids: [id] });
    expect(await graph.find(graph.state())).toMatchObject({ kind: 'records', ids: [id] });
    expect(lists(graph)).toEqual([
      `$filter=deviceName eq 'BER-DEL-00001' ${filterSupport}`,
      '$orderby=lastStateUpdateDateTime desc 200',
      '$orderby=lastStateUpdateDateTime desc 200',
    ]);
    graph.look.ahead = 3_600_001;
    await graph.find(graph.state());
    expect(lists(graph).at(3)).toContain('$filter');
  });

  test('many who ask at once · share one listing · each gets its own record', async () => {
    await using graph = await startLookUp({ filterSupport });
    const states = Array.from({ length: 20 }, (_, n) => graph.state({ deviceName: `device-${n}` }));
    const ids = await Promise.all(states.map((state) => idOf(graph, state)));
    await graph.find(graph.state());
    const before = lists(graph).length;
    const found = await Promise.all(states.map((state) => graph.find(state)));
    expect(found.map((each) => each.kind === 'records' && each.ids)).toEqual(ids.map((id) => [id]));
    expect(lists(graph).length - before).toBe(1);
  });
});

describe('a listing', () => {
  const at = (minute: number) => `2026-11-20T10:${String(minute).padStart(2, '0')}:00Z`;

  test('newest first · stops · where everything behind is too old', async () => {
    await using graph = await startLookUp({ filterSupport: '400', pageSize: 1 });
    await graph.create(graph.state({ lastStateUpdateDateTime: '2026-11-18T10:00:00Z' }));
    await graph.create(graph.state({ lastStateUpdateDateTime: '2026-11-19T10:00:00Z' }));
    const id = await idOf(graph, graph.state());
    expect(await graph.find(graph.state())).toMatchObject({ ids: [id] });
    expect(lists(graph).filter((list) => list.endsWith('200'))).toHaveLength(2);
  });

  test('where ordering is refused too · is read whole · oldest first', async () => {
    await using raw = await startRawGraph((response, { url }) => {
      const page = {
        value: [
          {
            id: 'r1',
            deviceName: 'BER-DEL-00001',
            internalVersion: 4,
            configurationState: 'success',
            lastStateUpdateDateTime: at(0),
          },
        ],
      };
      if (url.includes('$')) response.writeHead(400).end('{"error":{"code":"BadRequest","message":"no"}}');
      else response.writeHead(200).end(JSON.stringify(page));
    });
    await using graph = await startGraph({ config: { baseUrl: `${raw.origin}/beta` } });
    const find = createLookUp({ graph: graph.client, takeTurn: () => Promise.resolve(), clock: Date.now });
    const sought = graph.state({ lastStateUpdateDateTime: at(0) });
    expect(await find(sought, signal)).toMatchObject({ kind: 'records', ids: ['r1'] });
    expect(raw.seen.map(({ url }) => url.split('?')[1]?.slice(0, 8) ?? 'all')).toEqual(['$filter=', '$orderby', 'all']);
  });

  test('whose next page is on another host · is not followed · and proves nothing about what is not on it', async () => {
    await using elsewhere = await startRawGraph((response) => response.writeHead(200).end('{"value":[]}'));
    await using raw = await startRawGraph((response) =>
      response.writeHead(200).end(JSON.stringify({ value: [], '@odata.nextLink': `${elsewhere.origin}/beta/next` })),
    );
    await using graph = await startGraph({ config: { baseUrl: `${raw.origin}/beta` } });
    const find = createLookUp({ graph: graph.client, takeTurn: () => Promise.resolve(), clock: Date.now });
    expect(await find(graph.state(), signal)).toMatchObject({ kind: 'records', ids: [], unread: { next: null } });
    expect(elsewhere.seen).toEqual([]);
  });
});

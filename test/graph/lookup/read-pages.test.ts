// Reading listings that go on for ever, lead in circles, break off or fail: what is found, what it costs, and that it ends.
import { setImmediate as breathe } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { DeviceRunState } from '../../../src/domain/device-run-state.ts';
import type { Failure } from '../../../src/domain/attempt/failure.ts';
import type { GraphClient, PageOfStates } from '../../../src/graph/client.ts';
import { createQueryOptionFacts, type QueryOptionFact } from '../../../src/graph/lookup/query-option-facts.ts';
import { createLookUp } from '../../../src/graph/lookup/look-up.ts';
import { readPage } from '../../../src/graph/lookup/page.ts';
import type { Bounds } from '../../../src/graph/lookup/read-pages.ts';
import { startGraph } from '../../support/graph.ts';
import { startRawGraph } from '../../support/raw-graph.ts';
import { until } from '../../support/until.ts';
import { fc } from '../../support/properties.ts';

const STATES = 'https://graph.example/beta/states';
const sought: DeviceRunState = {
  hardwareConfigurationId: 'c',
  deviceName: 'd',
  internalVersion: 1,
  lastStateUpdateDateTime: '2026-11-20T10:00:00Z',
  configurationState: 'success',
};
const ours = { ...sought, id: 'ours' };
const other = (id: number, changes: object = {}) => ({ ...ours, id: `r${id}`, internalVersion: 9, ...changes });
const failure = (status: number): Failure => ({
  kind: status < 500 ? 'rejected' : 'uncertain',
  status,
  detail: String(status),
  graph: { status, code: null, requestId: null },
});
const { signal } = new AbortController();

type Answer = object | Failure | Promise<object>;

/** A look-up over a Graph that answers each address as told; `asked` notes the addresses, without the listing's own. */
function lookUp(answer: (what: string, times: number) => Answer, bounds?: Bounds) {
  const asked: string[] = [];
  const facts: QueryOptionFact[] = [];
  const turns = { taken: 0, give: (): Promise<unknown> => Promise.resolve() };
  const clock = { now: 0 };
  const graph: Pick<GraphClient, 'list' | 'states'> = {
    states: () => STATES,
    list: async (url) => {
      const query = url.slice(STATES.length);
      const what = query.startsWith('?$') ? decodeURIComponent(query) : query || 'all';
      asked.push(what);
      const answered = await answer(what, asked.filter((each) => each === what).length);
      if ('detail' in answered) return answered;
      const page = readPage(answered, url);
      return page ? ({ kind: 'page', ...page, requestId: 'q' } satisfies PageOfStates) : failure(500);
    },
  };
  const pace = (): Promise<unknown> => {
    turns.taken += 1;
    return turns.give();
  };
  const known = createQueryOptionFacts(
    () => clock.now,
    (fact) => facts.push(fact),
  );
  const find = createLookUp({ graph, takeTurn: pace, clock: () => clock.now, facts: known, ...(bounds && { bounds }) });
  return { asked, facts, turns, clock, find, look: (state = sought, from?: string) => find(state, signal, from) };
}

const filtered = (what: string) => what.startsWith('?$filter');
const ordered = (what: string) => what.startsWith('?$orderby');
const next = (link: unknown) => ({ '@odata.nextLink': link });
/** Without query options: what remains is the plain listing. */
const plainly = (answer: (what: string, times: number) => Answer) => (what: string, times: number) =>
  filtered(what) || ordered(what) ? failure(400) : answer(what, times);

describe('$filter fails while the plain listing works', () => {
  test.each([500, 502, 503, 504, 520])(
    'with %i · once it is reported as it is · then it is gone without, and remembered for a while',
    async (status) => {
      const graph = lookUp((what) => (filtered(what) ? failure(status) : { value: [ours] }));
      expect(await graph.look()).toMatchObject({ kind: 'uncertain' });
      expect(await graph.look()).toMatchObject({ kind: 'records', ids: ['ours'] });
      expect(await graph.look()).toMatchObject({ kind: 'records', ids: ['ours'] });
      expect(graph.asked.filter(filtered)).toHaveLength(2);
      expect(graph.facts).toContainEqual({ option: '$filter', taken: false });
      graph.clock.now += 3_600_001;
      await graph.look();
      expect(graph.asked.filter(filtered)).toHaveLength(3);
    },
  );

  test('for eight at once · all are found · and hardly one fails', async () => {
    const graph = lookUp((what) => (filtered(what) ? failure(500) : { value: [ours] }));
    const found = await Promise.all(Array.from({ length: 8 }, () => graph.look()));
    expect(found.filter(({ kind }) => kind === 'records')).toHaveLength(7);
  });

  test('and so does $orderby · both are gone without', async () => {
    const graph = lookUp((what) => (what === 'all' ? { value: [ours] } : failure(500)));
    const kinds = [];
    for (let look = 0; look < 4; look++) kinds.push((await graph.look()).kind);
    expect(kinds).toEqual(['uncertain', 'uncertain', 'records', 'records']);
    expect(graph.asked.at(-1)).toBe('all');
    expect(graph.facts).toEqual([
      { option: '$orderby', taken: false },
      { option: '$filter', taken: false },
    ]);
  });

  test('while nothing works · nothing is held against it', async () => {
    const graph = lookUp(() => failure(503));
    for (let look = 0; look < 5; look++) expect(await graph.look()).toMatchObject({ kind: 'uncertain' });
    expect(graph.facts).toEqual([]);
  });

  test('now and then · it stays in use', async () => {
    const graph = lookUp((what, times) => (filtered(what) && times % 2 === 1 ? failure(500) : { value: [ours] }));
    for (let look = 0; look < 6; look++) await graph.look();
    expect(graph.asked.every(filtered)).toBe(true);
    expect(graph.facts).toEqual([{ option: '$filter', taken: true }]);
  });

  test('the plain listing refused too · proves nothing about the record · and is no dead letter', async () => {
    const graph = lookUp(() => failure(405));
    expect(await graph.look()).toMatchObject({ kind: 'uncertain', detail: '405' });
  });

  test('records of the device in other letters · are no reason to give $filter up', async () => {
    const graph = lookUp(() => ({ value: [{ ...ours, deviceName: 'D' }] }));
    expect(await graph.look()).toMatchObject({ ids: ['ours'] });
    expect(graph.facts).toEqual([{ option: '$filter', taken: true }]);
  });

  test('records of other devices · show that it is ignored', async () => {
    const graph = lookUp(() => ({ value: [ours, other(1, { deviceName: 'e' }), { deviceName: null }] }));
    expect(await graph.look()).toMatchObject({ ids: ['ours'] });
    expect(graph.facts.at(-1)).toEqual({ option: '$filter', taken: false });
  });
});

describe('$filter is answered and finds nothing', () => {
  const filters = (name: string) => `?$filter=deviceName eq '${name}'`;
  const nothing = { value: [] };

  test('whatever there is · what it does not find is sought in the listing · and it is asked no more', async () => {
    const graph = lookUp((what) => (filtered(what) ? nothing : { value: [other(1, { deviceName: 'e' }), ours] }));
    expect(await graph.look()).toMatchObject({ kind: 'records', ids: ['ours'] });
    expect(graph.asked).toEqual([filters('d'), 'all', filters('e'), '?$orderby=lastStateUpdateDateTime desc']);
    expect(graph.turns.taken).toBe(3);
    expect(graph.facts).toContainEqual({ option: '$filter', taken: false });
    graph.asked.length = 0;
    expect(await graph.look()).toMatchObject({ ids: ['ours'] });
    expect(graph.asked).toEqual(['?$orderby=lastStateUpdateDateTime desc']);
  });

  test('and finds what is known to be there · it is believed · for all who ask, after one trial', async () => {
    const graph = lookUp((what) => {
      if (filtered(what)) return what.includes("'e'") ? { value: [other(1, { deviceName: 'E' })] } : nothing;
      return { value: [other(1, { deviceName: 'e' })], ...next('?more=1') };
    });
    const found = await Promise.all(Array.from({ length: 8 }, () => graph.look()));
    expect(found).toEqual(found.map(() => ({ kind: 'records', ids: [], requestId: 'q' })));
    expect(graph.asked).toHaveLength(8 + 2);
    expect(graph.facts).toEqual([{ option: '$filter', taken: true }]);
    graph.clock.now += 3_600_001;
    expect(await graph.look()).toMatchObject({ ids: [] });
    expect(graph.asked).toHaveLength(8 + 2 + 3);
  });

  test('after it found something · it is believed at once', async () => {
    const graph = lookUp((what, times) => (filtered(what) && times === 1 ? { value: [other(1)] } : nothing));
    for (let look = 0; look < 3; look++) expect(await graph.look()).toMatchObject({ kind: 'records', ids: [] });
    expect(graph.asked).toEqual([filters('d'), filters('d'), filters('d')]);
  });

  test.each([
    ['there is nothing to try it on', { value: [] }, []],
    ['the listing goes on without a name', { value: [{ id: 'x' }], ...next('?p=2') }, [ours]],
  ])('and %s · the listing decides · and the filter is neither trusted nor given up', async (_why, first, second) => {
    const graph = lookUp((what) => (filtered(what) ? nothing : what === '?p=2' ? { value: second } : first));
    for (let look = 0; look < 3; look++) {
      expect(await graph.look()).toMatchObject({ kind: 'records', ids: second.map(({ id }) => id) });
    }
    expect(graph.facts.filter(({ option }) => option === '$filter')).toEqual([]);
    // It is tried once a minute.
    expect(graph.asked.filter((what) => what === 'all')).toHaveLength(1);
  });

  test('over pages without an end · the listing is read · and nothing goes on from the filter', async () => {
    const graph = lookUp((what, times) => {
      if (filtered(what) || what.startsWith('?skip')) return { value: [], ...next(`?skip=${times}${what.length}`) };
      return { value: [ours] };
    });
    expect(await graph.look()).toEqual({ kind: 'records', ids: ['ours'], requestId: 'q' });
  });

  test('while the listing fails · nothing is known about the record', async () => {
    const graph = lookUp((what) => (filtered(what) ? nothing : failure(503)));
    for (let look = 0; look < 3; look++) expect(await graph.look()).toMatchObject({ kind: 'uncertain' });
  });

  test.each(["O'Brien", 'Büro 4', '端末', 'A&B', '50%'])(
    'though it finds usual names · for %j the listing decides',
    async (deviceName) => {
      const mine = { ...ours, deviceName };
      const graph = lookUp((what) => {
        if (filtered(what)) return what.includes("'e'") ? { value: [other(1, { deviceName: 'e' })] } : nothing;
        return { value: [other(1, { deviceName: 'e' }), mine] };
      });
      expect(await graph.look({ ...sought, deviceName: 'f' })).toMatchObject({ ids: [] });
      expect(await graph.look({ ...sought, deviceName })).toMatchObject({ ids: ['ours'] });
    },
  );

  test('the one who tries it leaves · the next one tries', async () => {
    const hung = Promise.withResolvers<object>();
    const graph = lookUp((what, times) => {
      if (filtered(what)) return what.includes("'e'") ? { value: [other(1, { deviceName: 'e' })] } : nothing;
      return times === 1 ? hung.promise : { value: [other(1, { deviceName: 'e' })] };
    });
    const leaving = new AbortController();
    const left = graph.find(sought, leaving.signal, null);
    await until('it tries', () => graph.asked.includes('all'));
    const waits = graph.look();
    leaving.abort();
    await expect(left).rejects.toThrow();
    hung.resolve({ value: [] });
    expect(await waits).toMatchObject({ kind: 'records', ids: [] });
  });
});

describe('links that no route is served for', () => {
  const unserved: Failure = { kind: 'route-not-served', detail: '400', graph: null };

  test('a further page · says nothing about the tenant · and where it was kept, the listing is read again', async () => {
    const graph = lookUp(
      plainly((what, times) => {
        if (what === '?p=2') return unserved;
        return times === 1 ? { value: [other(1)], ...next('?p=2') } : { value: [other(1), ours] };
      }),
    );
    const first = await graph.look();
    expect(first).toMatchObject({ kind: 'records', ids: [], unread: { next: `${STATES}?p=2` } });
    expect(await graph.look(sought, `${STATES}?p=2`)).toMatchObject({ kind: 'records', ids: ['ours'] });
  });

  test('one with a query option · is gone without', async () => {
    const graph = lookUp((what) => (what === 'all' ? { value: [ours] } : unserved));
    expect(await graph.look()).toMatchObject({ kind: 'records', ids: ['ours'] });
    expect(graph.facts).toEqual([
      { option: '$filter', taken: false },
      { option: '$orderby', taken: false },
    ]);
  });

  test('the listing itself · is reported as what it is', async () => {
    const graph = lookUp(() => unserved);
    expect(await graph.look()).toMatchObject({ kind: 'route-not-served' });
  });
});

describe('a listing that does not end · is read to where it repeats itself · and judged by that', () => {
  test.each<[how: string, answer: (what: string, times: number) => Answer, atMost: number]>([
    ['a page that leads to itself', () => ({ value: [ours], ...next(STATES) }), 1],
    [
      'pages in a circle',
      (what) => {
        const page = Number(/\d+$/.exec(what)?.[0] ?? 0);
        return { value: [page === 0 ? ours : other(page)], ...next(`${STATES}?p=${(page + 1) % 3 || 1}`) };
      },
      4,
    ],
    [
      'links that change for ever, and the same page',
      () => ({ value: [ours, other(1)], ...next(`${STATES}?p=${Math.random()}`) }),
      8,
    ],
    [
      'links that change for ever, and pages without anything',
      (what) => ({ value: what === 'all' ? [ours] : [], ...next(`${STATES}?p=${Math.random()}`) }),
      30,
    ],
  ])('%s', async (_how, answer, atMost) => {
    const graph = lookUp(plainly(answer));
    const found = await graph.look();
    expect(found).toMatchObject({ kind: 'records', ids: ['ours'] });
    expect(graph.asked.length - 2).toBeLessThanOrEqual(atMost);
    const absent = await graph.look({ ...sought, internalVersion: 2 });
    expect(absent).toEqual({ kind: 'records', ids: [], requestId: 'q' });
  });

  test('pages that always hold something new · a bounded number is read, each in its turn · and goes on later', async () => {
    const graph = lookUp(
      plainly((what) => {
        const page = Number(/\d+$/.exec(what)?.[0] ?? 0);
        return { value: [page === 120 ? ours : other(page)], ...next(`${STATES}?p=${page + 1}`) };
      }),
    );
    const first = await graph.look();
    expect(first).toMatchObject({ kind: 'records', ids: [], unread: { next: `${STATES}?p=50` } });
    expect(graph.asked).toHaveLength(2 + 50);
    expect(graph.turns.taken).toBe(2 + 49);
    const second = await graph.look(sought, `${STATES}?p=50`);
    expect(second).toMatchObject({ ids: [], unread: { next: `${STATES}?p=100` } });
    expect(await graph.look(sought, `${STATES}?p=100`)).toMatchObject({ ids: ['ours'] });
  });

  test('a place to go on from that leads nowhere any more · is left · and the listing read from its start', async () => {
    const graph = lookUp((what) => (what.includes('gone') ? failure(400) : { value: [ours] }));
    expect(await graph.look(sought, `${STATES}?gone`)).toEqual({ kind: 'records', ids: ['ours'], requestId: 'q' });
    expect(graph.turns.taken).toBe(1);
  });

  test('turns that never come · end the lookup in time · and it goes on later', async () => {
    const graph = lookUp(
      plainly(() => ({ value: [other(1)], ...next('?p=2') })),
      { pages: 50, timeoutMs: 50 },
    );
    await graph.look();
    graph.turns.give = () => new Promise(() => undefined);
    expect(await graph.look()).toMatchObject({ ids: [], unread: { next: `${STATES}?p=2` } });
  });
});

describe('a page that fails', () => {
  const upTo = (status: number, first: object) =>
    plainly((what) => (what === 'all' ? { value: [first], ...next('?p=2') } : failure(status)));

  test.each([500, 404, 400])('the second, with %i · what was found counts', async (status) => {
    expect(await lookUp(upTo(status, ours)).look()).toMatchObject({ kind: 'records', ids: ['ours'] });
  });

  test.each([500, 404, 400])('the second, with %i · what was not found may be there', async (status) => {
    expect(await lookUp(upTo(status, other(1))).look()).toMatchObject({
      kind: 'records',
      ids: [],
      unread: { next: `${STATES}?p=2` },
    });
  });

  test('because everyone has to wait · says so', async () => {
    const throttled: Failure = { kind: 'throttled', retryAfterMs: 1, detail: '429', graph: null };
    const graph = lookUp(plainly((what) => (what === 'all' ? { value: [other(1)], ...next('?p=2') } : throttled)));
    expect(await graph.look()).toEqual(throttled);
  });
});

describe('lookups of one configuration', () => {
  const old = { ...sought, lastStateUpdateDateTime: '1980-01-01T00:00:00Z' };
  const minutesAgo = (minutes: number) => new Date(Date.parse('2026-11-20T10:00:00Z') - minutes * 60_000).toISOString();

  test('one that has to read far · delays no other', async () => {
    const held = Promise.withResolvers<undefined>();
    const graph = lookUp(async (what) => {
      if (filtered(what)) return failure(400);
      const page = Number(/\d+$/.exec(what)?.[0] ?? 0);
      if (page === 3) await held.promise;
      return {
        value: [page === 0 ? ours : other(page, { lastStateUpdateDateTime: minutesAgo(60 * page + 60) })],
        ...next(`?p=${page + 1}`),
      };
    });
    const far = graph.look(old);
    await until('the far one is held', () => graph.asked.includes('?p=3'));
    expect(await graph.look()).toMatchObject({ kind: 'records', ids: ['ours'] });
    held.resolve(undefined);
    expect(await far).toMatchObject({ ids: [], unread: { next: `${STATES}?p=50` } });
  });

  test('that read together · each ends where it may · and is called off alone', async () => {
    const graph = lookUp(
      (what) => {
        if (filtered(what)) return failure(400);
        const page = Number(/\d+$/.exec(what)?.[0] ?? 0);
        return { value: [other(page, { lastStateUpdateDateTime: minutesAgo(60 * page) })], ...next(`?p=${page + 1}`) };
      },
      { pages: 10, timeoutMs: 60_000 },
    );
    await graph.look();
    const before = graph.asked.length;
    const leaving = new AbortController();
    const looks = [graph.look(), graph.look(old), graph.find(old, leaving.signal)];
    leaving.abort(new Error('leaving'));
    const [near, far, left] = await Promise.allSettled(looks);
    expect(near).toMatchObject({ value: { ids: [] } });
    expect(near).not.toMatchObject({ value: { unread: {} } });
    expect(far).toMatchObject({ value: { ids: [], unread: {} } });
    expect(left).toMatchObject({ reason: { message: 'leaving' } });
    expect(graph.asked.length - before).toBe(10);
  });

  test('a listing that is ordered in name only · is read to its end', async () => {
    const pages = [minutesAgo(9000), minutesAgo(8000), minutesAgo(0)];
    const graph = lookUp((what) => {
      if (filtered(what)) return failure(400);
      const page = Number(/\d+$/.exec(what)?.[0] ?? 0);
      const record = page === 2 ? ours : other(page, { lastStateUpdateDateTime: pages[page] });
      return { value: [record], ...(page < 2 && next(`?p=${page + 1}`)) };
    });
    expect(await graph.look()).toMatchObject({ ids: ['ours'] });
    expect(graph.facts.at(-1)).toEqual({ option: '$orderby', taken: false });
  });
});

describe('a lookup that is called off · ends at once with the signal’s reason', () => {
  test.each(['while a page is on its way', 'between two pages'])('%s', async (when) => {
    const inFlight = when !== 'between two pages';
    const graph = lookUp(
      plainly((what) =>
        what === 'all' || !inFlight ? { value: [other(1)], ...next('?p=2') } : new Promise(() => undefined),
      ),
    );
    if (!inFlight) graph.turns.give = () => (graph.turns.taken < 3 ? Promise.resolve() : new Promise(() => undefined));
    const leaving = new AbortController();
    const look = graph.find(sought, leaving.signal);
    await until('it waits', () => (inFlight ? graph.asked.at(-1) === '?p=2' : graph.turns.taken === 3));
    await breathe();
    leaving.abort(new Error('leaving'));
    await expect(look).rejects.toThrow('leaving');
  });

  test('a real request · is cut · and Graph sees it go', async () => {
    const gone = Promise.withResolvers<undefined>();
    await using raw = await startRawGraph((response) => {
      response.on('close', () => gone.resolve(undefined));
    });
    await using graph = await startGraph({ config: { baseUrl: `${raw.origin}/beta`, attemptTimeoutMs: 60_000 } });
    const leaving = new AbortController();
    const look = createLookUp({ graph: graph.client, takeTurn: () => Promise.resolve(), clock: Date.now })(
      graph.state(),
      leaving.signal,
    );
    await until('asked', () => raw.seen.length > 0);
    leaving.abort(new Error('leaving'));
    await expect(look).rejects.toThrow('leaving');
    await gone.promise;
  });
});

test('any listing · ends within its bounds and without throwing · and finds what is on a page it read', async () => {
  const entry = fc.oneof(
    fc.anything(),
    fc.record({ id: fc.anything(), deviceName: fc.anything(), internalVersion: fc.anything() }),
    fc.nat(5).map((id) => other(id)),
    fc.constant(ours),
  );
  const link = fc.oneof(
    fc.nat(4).map((page) => `?p=${page}`),
    fc.constant('random'),
    fc.constantFrom('', '//evil.example/', 'http://graph.example/', 'https://graph.example:9/', 'x'.repeat(9000)),
    fc.anything(),
  );
  const page = fc.oneof(
    { weight: 5, arbitrary: fc.record({ value: fc.array(entry, { maxLength: 4 }), link }) },
    { weight: 1, arbitrary: fc.record({ value: fc.anything(), link }) },
    { weight: 1, arbitrary: fc.constantFrom(400, 404, 500) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(page, { minLength: 5, maxLength: 5 }), async (pages) => {
      const seen = new Set<unknown>();
      let salt = 0;
      const graph = lookUp(
        plainly((what) => {
          const scripted = pages[Number(/p=(\d)/.exec(what)?.[1] ?? 0)] ?? 404;
          if (typeof scripted === 'number') return failure(scripted);
          const { value, link: on } = scripted;
          if (Array.isArray(value)) value.forEach((each) => seen.add(each));
          return { value, ...next(on === 'random' ? `?p=1&s=${salt++}` : on) };
        }),
      );
      const found = await graph.look();
      expect(graph.asked.length).toBeLessThanOrEqual(2 + 50);
      if (seen.has(ours))
        expect(found).toMatchObject({ kind: 'records', ids: expect.arrayContaining(['ours']) as string[] });
    }),
    { numRuns: 300 },
  );
});

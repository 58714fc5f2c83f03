// Uncertain creates from end to end: a real queue, the real client over HTTPS, and a Graph whose listing misbehaves.
import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { describe, expect, test } from 'vitest';
import { remedyOfHold } from '../../src/domain/hold/hold.ts';
import { createEvents } from '../../src/telemetry/events.ts';
import { createLookUp } from '../../src/graph/lookup/look-up.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { startConsumer } from '../support/consume.ts';
import { createPermitQueue } from '../../src/queue/budget/permit-queue.ts';
import { createSlots } from '../../src/queue/worker/slots.ts';
import { createDeliver } from '../../workers/deliver.ts';
import { startGraph } from '../support/graph.ts';
import { startRawGraph } from '../support/raw-graph.ts';
import { startFreshRedis } from '../support/fresh-redis.ts';
import type { TestRedis } from '../support/redis.ts';
import { aRun, openTestTenant, POLICY } from '../support/tenant.ts';
import { until } from '../support/until.ts';

let redis: TestRedis;
startFreshRedis((started) => void (redis = started));

type Stored = Record<string, unknown> & { id: string };
type Listing = (query: string, records: Stored[]) => { status?: number; json: unknown } | null;

/** How a create is answered: `lost` is stored and not answered, `taken` is stored and refused as colliding. */
type Creates = (number: number) => 'ok' | 'lost' | 'taken' | 'other';

/** A worker, and a Graph that lists as told; null leaves a request without an answer. */
async function start(listing: Listing, creates: Creates = () => 'lost') {
  const records: Stored[] = [];
  let made = 0;
  const answer = (response: ServerResponse, status: number, json: unknown) =>
    response
      .writeHead(status, { 'content-type': 'application/json', 'request-id': randomUUID() })
      .end(JSON.stringify(json));
  const raw = await startRawGraph((response, { method, url, body }) => {
    if (method === 'POST') {
      const how = creates((made += 1));
      const record = { ...(JSON.parse(body) as object), id: `record-${made}` };
      if (how !== 'other') records.push(record);
      if (how === 'ok') answer(response, 201, record);
      else if (how === 'lost') answer(response, 504, { error: { code: 'UnknownError', message: '' } });
      else answer(response, 409, { error: { code: 'Conflict', message: 'It exists.' } });
      return;
    }
    const listed = listing(decodeURIComponent(url.split('?')[1] ?? ''), records);
    if (listed) answer(response, listed.status ?? 200, listed.json);
  });
  const graph = await startGraph({ config: { baseUrl: `${raw.origin}/beta` } });
  const queue = await openTestTenant(redis);
  const permits = createPermitQueue(queue.budget, createSlots(10).ofTenant(queue.id).take);
  const consumer = startConsumer(queue, {
    permits,
    deliver: createDeliver({
      create: graph.client.create,
      find: createLookUp({ graph: graph.client, takeTurn: permits.furtherPage, clock: Date.now }),
      claimable: queue.deliveries.unclaimed,
    }),
    events: createEvents(createLog('worker', 'silent'), createMetrics()),
    policy: { ...POLICY, attemptTimeoutMs: 5000 },
    concurrency: 10,
    clock: Date.now,
    random: () => 0.5,
  });
  return {
    records,
    lists: () => raw.seen.filter(({ method }) => method === 'GET'),
    created: () => made,
    queue,
    consumer,
    accept: async (number: number) => {
      const answer = await queue.deliveries.accept(aRun(number), Date.now());
      if (answer.kind === 'conflict') throw new Error('conflict');
      return answer.delivery.id;
    },
    ends: (id: string) =>
      until(`delivery ${id} ends`, async () => {
        const delivery = await queue.deliveries.find(id);
        return delivery?.status === 'delivered' || delivery?.status === 'dead' ? delivery : null;
      }),
    [Symbol.asyncDispose]: async () => {
      await consumer.close();
      await queue.close();
      await graph[Symbol.asyncDispose]();
      await raw[Symbol.asyncDispose]();
    },
  };
}

const failed = { status: 500, json: { error: { code: 'InternalServerError', message: '' } } };

test('eight lost creates while $filter fails · all are found in the plain listing · nothing is held or created twice', async () => {
  await using world = await start(
    (query, records) => (query === '' ? { json: { value: records } } : failed),
    (number) => (number <= 8 ? 'lost' : 'ok'),
  );
  const ids = await Promise.all(Array.from({ length: 28 }, (_, number) => world.accept(number)));
  const ended = await Promise.all(ids.map(world.ends));
  expect(ended.filter(({ status }) => status !== 'delivered')).toEqual([]);
  expect(world.created()).toBe(28);
  expect(new Set(ended.map(({ deviceRunStateId }) => deviceRunStateId)).size).toBe(28);
  expect((await world.queue.budget.state()).holds).toEqual([]);
});

test('lost creates while $filter finds nothing whatever there is · are found in the listing · not created again', async () => {
  await using world = await start((query, records) => ({
    json: { value: query.startsWith('$filter') ? [] : records },
  }));
  const ids = await Promise.all([1, 2, 3, 4, 5].map(world.accept));
  const ended = await Promise.all(ids.map(world.ends));
  expect(ended.map(({ status }) => status)).toEqual(ids.map(() => 'delivered'));
  expect(world.created()).toBe(5);
});

test('a lost create while no listing is served · waits for that under its true name · and is found once one is', async () => {
  let isServed = false;
  const words = 'No OData route exists that match template ~/x with http verb GET for request /y.';
  const unserved = { status: 400, json: { error: { code: 'No method match route template', message: words } } };
  await using world = await start(
    (_query, records) => (isServed ? { json: { value: records } } : unserved),
    (number) => (number === 1 ? 'lost' : 'ok'),
  );
  const lost = await world.accept(1);
  const hold = await until('lookups are held', async () => (await world.queue.budget.state()).holds.at(0));
  expect(hold).toMatchObject({
    reason: 'route-not-served',
    about: 'look',
    detail: expect.stringContaining('400') as string,
  });
  expect(remedyOfHold(hold)).toContain('lookups');
  isServed = true;
  expect(await world.ends(lost)).toMatchObject({ status: 'delivered', deviceRunStateId: 'record-1' });
  await until('the hold has ended', async () => (await world.queue.budget.state()).holds.length === 0);
  expect(world.created()).toBe(1);
});

describe('a lost create · is found and not created again · in few requests', () => {
  test.each<[how: string, listing: Listing]>([
    ['pages in a circle', (_query, records) => ({ json: { value: records, '@odata.nextLink': '?page=1' } })],
    [
      'links that change for ever',
      (_query, records) => ({ json: { value: records, '@odata.nextLink': `?page=${randomUUID()}` } }),
    ],
    [
      'rubbish among the records',
      (_query, records) => ({ json: { value: [null, 1, 'x', [], {}, { id: null, deviceName: 7 }, ...records] } }),
    ],
    [
      'a relative link to the second page',
      (query, records) => ({
        json: query.includes('page') ? { value: records } : { value: [{ id: 'x' }], '@odata.nextLink': '?page=2' },
      }),
    ],
    [
      'names in other letters',
      (_query, records) => ({
        json: {
          value: records.map((record) => ({ ...record, deviceName: String(record['deviceName']).toLowerCase() })),
        },
      }),
    ],
    [
      'a link elsewhere',
      (_query, records) => ({ json: { value: records, '@odata.nextLink': 'https://example.invalid/' } }),
    ],
  ])('%s', async (_how, listing) => {
    await using world = await start(listing);
    const delivery = await world.ends(await world.accept(1));
    expect(delivery).toMatchObject({ status: 'delivered', deviceRunStateId: 'record-1' });
    expect(world.created()).toBe(1);
    expect(world.lists().length).toBeLessThan(10);
  });
});

test('a listing longer than a lookup reads · is gone through part by part · and the record behind it found', async () => {
  const pages = 120;
  await using world = await start((query, records) => {
    if (query.startsWith('$')) return { status: 400, json: { error: { code: 'BadRequest', message: 'no' } } };
    const page = Number(/page=(\d+)/.exec(query)?.[1] ?? 0);
    const filler = { id: `filler-${page}`, deviceName: 'another' };
    return {
      json: {
        value: page === pages ? records : [filler],
        ...(page < pages && { '@odata.nextLink': `?page=${page + 1}` }),
      },
    };
  });
  const delivery = await world.ends(await world.accept(1));
  expect(delivery.attempts.map(({ outcome }) => outcome)).toEqual([
    'uncertain',
    'inconclusive',
    'inconclusive',
    'found',
  ]);
  expect(world.created()).toBe(1);
});

test('a create that collides · with its own record · is delivered as that', async () => {
  await using world = await start(
    (_query, records) => ({ json: { value: records } }),
    () => 'taken',
  );
  expect(await world.ends(await world.accept(1))).toMatchObject({ status: 'delivered', deviceRunStateId: 'record-1' });
});

test('a create that collides · with something else · is dead after three lookups', async () => {
  await using world = await start(
    (_query, records) => ({ json: { value: records } }),
    () => 'other',
  );
  expect(await world.ends(await world.accept(1))).toMatchObject({ status: 'dead', lastFailure: { code: 'graph-409' } });
  // Each lookup asks with $filter and reads the listing; once a record is sought to try the filter on.
  expect([world.created(), world.lists().length]).toEqual([1, 7]);
});

test('a worker that stops while it reads a listing without an end · ends at once · and gives the delivery back', async () => {
  let pages = 0;
  await using world = await start((query) => {
    if (query.startsWith('$')) return { status: 400, json: { error: { code: 'BadRequest', message: 'no' } } };
    pages += 1;
    return pages > 5 ? null : { json: { value: [{ id: `r${pages}` }], '@odata.nextLink': `?page=${pages}` } };
  });
  const id = await world.accept(1);
  await until('a page hangs', () => pages > 5);
  const startedAt = performance.now();
  await world.consumer.close();
  expect(performance.now() - startedAt).toBeLessThan(3000);
  expect(await world.queue.deliveries.find(id)).toMatchObject({ status: 'waiting', uncertainty: { lookups: 0 } });
});

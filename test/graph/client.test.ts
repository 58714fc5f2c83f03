// Creating through the real Graph client over HTTPS: what is sent, what is never repeated, and what every answer is taken for.
import { gzipSync } from 'node:zlib';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Outcome } from '../../src/domain/delivery.ts';
import { createGraphClient } from '../../src/graph/client.ts';
import type { Token, TokenSource } from '../../src/graph/credential/token.ts';
import { createSandbox } from '../../src/sandbox/sandbox.ts';
import { freePort } from '../support/free-port.ts';
import { startGraph, type GraphWorld } from '../support/graph.ts';
import { startRawGraph } from '../support/raw-graph.ts';

const creates = ({ sandbox }: GraphWorld) => sandbox.requests().filter(({ operation }) => operation === 'create');
const CREATED = { kind: 'created' } as const;
const unusedPort = await freePort();

describe('a create', () => {
  test('of a full run · is stored member for member · under the id Graph gave it', async () => {
    await using graph = await startGraph();
    const state = graph.state({
      osVersion: '10.0.22631',
      upn: null,
      configurationOutput: 'Änderungen übernommen ✓\r\n',
      configurationError: '',
      deviceName: 'Büro’s 😀 PC',
    });
    const outcome = await graph.create(state);
    const [record] = graph.sandbox.records();
    expect(outcome).toEqual({
      kind: 'created',
      deviceRunStateId: record?.id,
      graph: { status: 201, requestId: creates(graph)[0]?.requestId },
    });
    expect(record).toMatchObject({
      configurationId: graph.configurationId,
      deviceName: 'Büro’s 😀 PC',
      internalVersion: 4,
      configurationState: 'success',
      osVersion: '10.0.22631',
      upn: null,
      configurationOutput: 'Änderungen übernommen ✓\r\n',
      configurationError: '',
      lastStateUpdateDateTime: '2026-11-20T09:00:00.1234567Z',
    });
    expect(graph.ended.map(({ operation, status }) => [operation, status])).toEqual([
      ['token', 200],
      ['create', 201],
    ]);
  });

  test('on the wire · carries the token to a host of one’s own · and nothing but writable members', async () => {
    await using raw = await startRawGraph((response) => response.writeHead(201).end('{"id":"new"}'));
    await using graph = await startGraph({ config: { baseUrl: `${raw.origin}/beta` } });
    const state = graph.state({ configurationOutput: 'done' });
    expect(await graph.create(state)).toMatchObject({ kind: 'created', deviceRunStateId: 'new' });
    const [sent] = raw.seen;
    expect(sent?.url).toBe(`/beta/deviceManagement/hardwareConfigurations/${graph.configurationId}/deviceRunStates`);
    expect(sent?.headers).toMatchObject({
      authorization: expect.stringMatching(/^Bearer eyJ/) as string,
      'content-type': expect.stringContaining('application/json') as string,
      'client-request-id': expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
    });
    expect(JSON.parse(sent?.body ?? '')).toStrictEqual({
      '@odata.type': '#microsoft.graph.hardwareConfigurationDeviceState',
      deviceName: 'BER-DEL-00001',
      internalVersion: 4,
      lastStateUpdateDateTime: '2026-11-20T10:00:00.1234567+01:00',
      configurationState: 'success',
      configurationOutput: 'done',
    });
  });

  test('announced too long ago · is not sent · another worker may have taken over', async () => {
    await using graph = await startGraph();
    await graph.create(graph.state());
    const outcome = await graph.client.create(graph.state(), Date.now() - 60_000, new AbortController().signal);
    expect(outcome).toMatchObject({ kind: 'delayed' });
    expect(creates(graph)).toHaveLength(1);
  });

  describe('too late when the token comes · is not sent', () => {
    const NOTHING = { kind: 'not-sent', upstream: 'token-endpoint', detail: 'no answer', graph: null } as const;

    /** A client whose token takes its time, by the clock, and during which this process may stand still. */
    async function attempt(announcedMsAgo: number, takesMs: number, standsStillMs = 0, answer?: Token) {
      await using graph = await startGraph();
      let now = 0;
      const clock = () => now;
      const tokens: TokenSource = {
        ...graph.tokens,
        get: async () => {
          await nextTurn();
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, standsStillMs);
          now += takesMs + standsStillMs;
          return answer ?? graph.tokens.get();
        },
      };
      const client = createGraphClient({ config: graph.config, tokens, clock, ended: () => undefined });
      const outcome = await client.create(graph.state(), -announcedMsAgo, new AbortController().signal);
      await client.close();
      expect(creates(graph)).toEqual([]);
      return outcome;
    }

    test('because it took its time · which is reported about the token endpoint', async () => {
      expect(await attempt(0, 11_000)).toMatchObject({ kind: 'not-sent', upstream: 'token-endpoint' });
    });

    test('because Redis had taken most of it · which is not', async () => {
      expect(await attempt(9000, 1500)).toMatchObject({ kind: 'delayed' });
    });

    test('because this process stood still meanwhile · which is not', async () => {
      expect(await attempt(8800, 100, 2500)).toMatchObject({ kind: 'delayed' });
    });

    test('and fails, since this process stood still · which is not reported about it either', async () => {
      expect(await attempt(0, 100, 2500, { ok: false, failure: NOTHING })).toMatchObject({ kind: 'delayed' });
      expect(await attempt(0, 2500, 0, { ok: false, failure: NOTHING })).toEqual(NOTHING);
    });
  });

  test('called off · ends at once · and counts as uncertain', async () => {
    await using graph = await startGraph();
    await graph.tokens.get();
    graph.sandbox.script('next create: hang');
    const abort = new AbortController();
    const outcome = graph.client.create(graph.state(), Date.now(), abort.signal);
    await new Promise<void>((resolve) => graph.sandbox.subscribe(() => resolve()));
    abort.abort();
    expect(await outcome).toMatchObject({ kind: 'uncertain', graph: null });
  });
});

describe('the SDK’s own retries · are off · one request per attempt', () => {
  test.each<[fault: string, expected: Partial<Outcome>]>([
    ['504', { kind: 'uncertain' }],
    ['504 after the write', { kind: 'uncertain' }],
    ['500', { kind: 'uncertain' }],
    ['503', { kind: 'uncertain' }],
    ['429 with Retry-After 1', { kind: 'throttled', retryAfterMs: 1000 }],
    ['429 with Retry-After 1.5', { kind: 'throttled', retryAfterMs: 1500 }],
    ['429 with Retry-After huge', { kind: 'throttled', retryAfterMs: 99_999_999_000 }],
    ['429 with Retry-After garbage', { kind: 'throttled', retryAfterMs: null }],
    ['429 without Retry-After', { kind: 'throttled', retryAfterMs: null }],
    ['429 with Retry-After 2 as html', { kind: 'throttled', retryAfterMs: 2000 }],
    ['429 with Retry-After 2 as nothing', { kind: 'throttled', retryAfterMs: 2000 }],
    ['429 with Retry-After 2 as invalid json', { kind: 'throttled', retryAfterMs: 2000 }],
    ['503 with Retry-After 2 as html', { kind: 'throttled', retryAfterMs: 2000 }],
    ['504 as html', { kind: 'uncertain' }],
    ['502 as nothing', { kind: 'uncertain' }],
    ['500 as intune', { kind: 'uncertain' }],
    ['504 as empty code', { kind: 'uncertain' }],
    ['403', { kind: 'forbidden' }],
    ['402', { kind: 'forbidden' }],
    ['400 as intune', { kind: 'rejected', status: 400 }],
    ['409', { kind: 'conflict' }],
    ['501', { kind: 'route-not-served' }],
    ['truncated', { kind: 'uncertain' }],
    ['reset', { kind: 'uncertain', graph: null }],
    ['reset after the write', { kind: 'uncertain', graph: null }],
  ])('%s', async (fault, expected) => {
    await using graph = await startGraph();
    graph.sandbox.script(`next create: ${fault}`);
    const outcome = await graph.create(graph.state());
    expect(outcome).toMatchObject(expected);
    const requests = creates(graph);
    expect(requests).toHaveLength(1);
    if (outcome.graph) expect(outcome.graph.requestId).toBe(requests[0]?.requestId);
    expect(graph.sandbox.stats().scriptRemaining).toBe(0);
  });

  test('a throttling date · is read against the answer’s own Date · to the second', async () => {
    await using graph = await startGraph({ clock: () => Date.now() + 86_400_000 });
    graph.sandbox.script('next create: 429 with Retry-After date 7');
    const outcome = await graph.create(graph.state());
    expect(outcome.kind === 'throttled' && outcome.retryAfterMs).toBeOneOf([7000, 8000]);
  });
});

test('many attempts · each under an id of its own · none without and none reused', async () => {
  await using graph = await startGraph();
  graph.sandbox.script('next 10 creates: 504, 429, 401, ok, 500');
  for (let attempt = 0; attempt < 10; attempt++) await graph.create(graph.state());
  expect(graph.sandbox.stats()).toMatchObject({ missingClientRequestId: 0, reusedClientRequestId: 0 });
  const ids = creates(graph).map(({ clientRequestId }) => clientRequestId);
  expect(ids.length).toBeGreaterThanOrEqual(10);
  expect(new Set(ids).size).toBe(ids.length);
});

describe('connections', () => {
  const createTimes = async (graph: GraphWorld, times: number) => {
    for (let attempt = 0; attempt < times; attempt++) await graph.create(graph.state());
  };

  test('over many error answers · are kept alive · and none leaks', async () => {
    await using graph = await startGraph();
    await createTimes(graph, 5);
    const { connectionsOpened } = graph.sandbox.stats();
    graph.sandbox.script('next 60 creates: 500 as html, 429 as nothing, 504, 400 as invalid json, 409, 500 as intune');
    await createTimes(graph, 60);
    expect(graph.sandbox.stats()).toMatchObject({ connectionsOpened, graphRequests: 65, scriptRemaining: 0 });
  });

  test('after a 503 · the next attempt opens a new one · and the old ones are closed', async () => {
    let opened = 0;
    await using raw = await startRawGraph((response) => response.writeHead(503).end('{}'));
    raw.server.on('secureConnection', () => (opened += 1));
    await using graph = await startGraph({ config: { baseUrl: `${raw.origin}/beta` } });
    await createTimes(graph, 10);
    expect(opened).toBeGreaterThanOrEqual(10);
    await expect.poll(() => raw.connections()).toBeLessThanOrEqual(1);
  });
});

describe('a redirect', () => {
  test.each([301, 302, 303, 307, 308])('%i · is not followed · and no token travels on', async (status) => {
    await using elsewhere = await startRawGraph((response) => response.writeHead(201).end('{"id":"stolen"}'));
    await using raw = await startRawGraph((response) =>
      response.writeHead(status, { location: `${elsewhere.origin}/beta/x` }).end(),
    );
    await using graph = await startGraph({ config: { baseUrl: `${raw.origin}/beta` } });
    expect(await graph.create(graph.state())).toMatchObject({ kind: 'uncertain', graph: { status } });
    expect(raw.seen).toHaveLength(1);
    expect(elsewhere.seen).toEqual([]);
  });
});

describe('a success that cannot be read · is uncertain · since it may be there', () => {
  test.each([
    ['nothing', ''],
    ['HTML', '<html></html>'],
    ['null', 'null'],
    ['no id', '{}'],
    ['an empty id', '{"id":""}'],
    ['an id that is a number', '{"id":7}'],
    ['a body beyond any record', `{"id":"new","configurationOutput":"${'x'.repeat(17 * 1024 * 1024)}"}`],
  ])('%s', async (_what, body) => {
    await using raw = await startRawGraph((response) => response.writeHead(201, { 'request-id': 'r' }).end(body));
    await using graph = await startGraph({ config: { baseUrl: `${raw.origin}/beta` } });
    expect(await graph.create(graph.state())).toMatchObject({
      kind: 'uncertain',
      graph: { status: 201, requestId: 'r' },
    });
  });

  test('an error that is null · from a gateway · does not throw', async () => {
    await using raw = await startRawGraph((response) => response.writeHead(502).end('{"error":null}'));
    await using graph = await startGraph({ config: { baseUrl: `${raw.origin}/beta` } });
    expect(await graph.create(graph.state())).toMatchObject({ kind: 'uncertain', graph: { status: 502 } });
  });
});

describe('a success that is none of a create’s · may be anybody’s · and is uncertain', () => {
  test.each([200, 202, 203, 204, 206, 207, 226])('%i', async (status) => {
    await using raw = await startRawGraph((response) => response.writeHead(status).end('{"id":"whose"}'));
    await using graph = await startGraph({ config: { baseUrl: `${raw.origin}/beta` } });
    expect(await graph.create(graph.state())).toMatchObject({ kind: 'uncertain', graph: { status } });
  });
});

describe('a body', () => {
  test('with a byte order mark · is read · as a create’s answer', async () => {
    await using raw = await startRawGraph((response) => response.writeHead(201).end('\uFEFF{"id":"new"}'));
    await using graph = await startGraph({ config: { baseUrl: `${raw.origin}/beta` } });
    expect(await graph.create(graph.state())).toMatchObject({ kind: 'created', deviceRunStateId: 'new' });
  });

  test('of an error without end · is left after a megabyte · and what it meant is unknown', async () => {
    let bytes = 0;
    await using raw = await startRawGraph((response) => {
      response.writeHead(400, { 'request-id': 'r' });
      const pour = () => {
        while (!response.destroyed) {
          bytes += 65_536;
          if (!response.write(Buffer.alloc(65_536, 'x'))) break;
        }
      };
      response.on('drain', pour).on('error', () => undefined);
      pour();
    });
    await using graph = await startGraph({ config: { baseUrl: `${raw.origin}/beta` } });
    expect(await graph.create(graph.state())).toMatchObject({ kind: 'uncertain', graph: { status: 400 } });
    expect(bytes).toBeLessThan(32 * 1024 * 1024);
  });

  test('of few bytes that unpack to many · is left · and the status counts', async () => {
    const bomb = gzipSync(Buffer.alloc(200 * 1024 * 1024));
    await using raw = await startRawGraph((response) =>
      response.writeHead(502, { 'content-encoding': 'gzip' }).end(bomb),
    );
    await using graph = await startGraph({ config: { baseUrl: `${raw.origin}/beta` } });
    const before = process.memoryUsage().arrayBuffers;
    expect(await graph.create(graph.state())).toMatchObject({ kind: 'uncertain', graph: { status: 502 } });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024);
  });

  test('that comes in drops · ends with the attempt’s time-out · and what it meant is unknown', async () => {
    const drops = new Set<NodeJS.Timeout>();
    await using raw = await startRawGraph((response) => {
      response.writeHead(404, { 'request-id': 'r' });
      const timer = setInterval(() => response.write('x'), 20);
      drops.add(timer);
      response.on('close', () => clearInterval(timer));
    });
    await using graph = await startGraph({ config: { baseUrl: `${raw.origin}/beta`, attemptTimeoutMs: 400 } });
    expect(await graph.create(graph.state())).toMatchObject({ kind: 'uncertain', graph: { status: 404 } });
    drops.forEach(clearInterval);
  });
});

describe('a proxy’s 401 · is not Graph’s · so nothing is sent again', () => {
  test('once', async () => {
    await using raw = await startRawGraph((response) =>
      response.writeHead(401, { 'content-type': 'text/html' }).end('<h1>Who are you?</h1>'),
    );
    await using graph = await startGraph({ config: { baseUrl: `${raw.origin}/beta` } });
    expect(await graph.create(graph.state())).toMatchObject({ kind: 'uncertain', graph: { status: 401 } });
    expect(raw.seen).toHaveLength(1);
  });
});

describe('an attempt that takes too long', () => {
  test.each([
    ['hang', 0],
    ['hang after the write', 1],
    ['ok in 5 s', 0],
    ['slow', 1],
  ])('%s · ends with its time-out · and is uncertain', async (fault, recordsKept) => {
    await using graph = await startGraph({ config: { attemptTimeoutMs: 400 } });
    await graph.tokens.get();
    graph.sandbox.script(`next create: ${fault}`);
    const startedAt = performance.now();
    expect(await graph.create(graph.state())).toMatchObject({ kind: 'uncertain' });
    expect(performance.now() - startedAt).toBeLessThan(4000);
    expect(graph.sandbox.records()).toHaveLength(recordsKept);
  });

  test('a slow answer in time · is read to its end · and is created', async () => {
    await using graph = await startGraph({ config: { attemptTimeoutMs: 20_000 } });
    graph.sandbox.script('next create: slow');
    expect(await graph.create(graph.state())).toMatchObject(CREATED);
  });
});

describe('no connection · was not sent · surely', () => {
  test.each([
    ['a port nobody listens on', `https://localhost:${unusedPort}/beta`],
    ['a name that does not exist', 'https://graph.runstate.invalid/beta'],
  ])('%s', async (_what, baseUrl) => {
    await using graph = await startGraph({ config: { baseUrl } });
    expect(await graph.create(graph.state())).toMatchObject({ kind: 'not-sent', upstream: 'graph', graph: null });
    expect(graph.ended.at(-1)).toMatchObject({ operation: 'create', status: null });
  });

  test('a certificate nobody here trusts', async () => {
    const untrusted = await createSandbox();
    await using graph = await startGraph({ config: { baseUrl: untrusted.graphBaseUrl } });
    const outcome = await graph.create(graph.state());
    await untrusted.close();
    expect(outcome).toMatchObject({ kind: 'not-sent', upstream: 'graph' });
    expect(untrusted.requests()).toEqual([]);
  });
});

describe('a refused token', () => {
  test('once · is renewed once · and the create goes through', async () => {
    await using graph = await startGraph();
    await graph.create(graph.state());
    graph.sandbox.set({ tokens: 'revoked' });
    expect(await graph.create(graph.state({ deviceName: 'second' }))).toMatchObject(CREATED);
    expect(graph.sandbox.stats()).toMatchObject({ tokenRequests: 2, createsApplied: 2, byStatus: { '401': 1 } });
  });

  test('twice · is unauthenticated · and not asked a third time', async () => {
    await using graph = await startGraph();
    graph.sandbox.script('next 2 creates: 401 with claims');
    expect(await graph.create(graph.state())).toMatchObject({ kind: 'unauthenticated', graph: { status: 401 } });
    expect(graph.sandbox.stats()).toMatchObject({ tokenRequests: 2, createsApplied: 0 });
    expect(creates(graph)).toHaveLength(2);
  });

  test('by many attempts at once · is renewed once · for all of them', async () => {
    await using graph = await startGraph();
    await graph.create(graph.state());
    graph.sandbox.set({ tokens: 'revoked' });
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, n) => graph.create(graph.state({ deviceName: `device-${n}` }))),
    );
    expect(outcomes.filter(({ kind }) => kind !== 'created')).toEqual([]);
    expect(graph.sandbox.stats().tokenRequests).toBe(2);
  });

  test('the new one refused by the token endpoint · is reported as that · not as a 401', async () => {
    await using graph = await startGraph();
    await graph.create(graph.state());
    graph.sandbox.set({ tokens: 'revoked', secret: 'revoked' });
    expect(await graph.create(graph.state())).toMatchObject({ kind: 'credential-refused' });
  });

  test('by a missing permission · the next attempt brings a new token · with the consent given meanwhile', async () => {
    await using graph = await startGraph();
    graph.sandbox.set({ permission: 'taken-away' });
    expect(await graph.create(graph.state())).toMatchObject({ kind: 'forbidden', graph: { status: 403 } });
    graph.sandbox.set({ permission: 'granted' });
    expect(await graph.create(graph.state())).toMatchObject(CREATED);
  });
});

describe('a configuration', () => {
  test('that Graph does not know · is this run’s own fault · with Graph’s words', async () => {
    await using graph = await startGraph();
    const state = graph.state({ hardwareConfigurationId: '00000000-0000-4000-8000-000000000000' });
    expect(await graph.create(state)).toMatchObject({
      kind: 'rejected',
      status: 404,
      graph: { status: 404, code: 'ResourceNotFound' },
    });
  });

  test('with a body beyond Graph’s limit · is this run’s own fault · 413', async () => {
    await using graph = await startGraph();
    const outcome = await graph.create(graph.state({ configurationOutput: 'x'.repeat(4 * 1024 * 1024) }));
    expect(outcome).toMatchObject({ kind: 'rejected', status: 413 });
  });
});

describe('a list', () => {
  test.each([
    ['another host', 'https://example.invalid/beta/deviceRunStates'],
    ['another port', 'https://localhost:1/beta/deviceRunStates'],
    ['no encryption', 'http://localhost/beta/deviceRunStates'],
    ['no address', '/beta/deviceRunStates?$skiptoken=x'],
  ])('whose next page is on %s · is not followed · and no token travels there', async (_what, url) => {
    await using graph = await startGraph();
    const { signal } = new AbortController();
    expect(await graph.client.list(url, signal)).toMatchObject({ kind: 'uncertain', graph: null });
    expect(graph.sandbox.stats()).toMatchObject({ tokenRequests: 0, graphRequests: 0 });
  });

  test.each([
    ['HTML', '<html></html>'],
    ['no list', '{"value":{}}'],
    ['null', 'null'],
  ])('that cannot be read · %s · is uncertain', async (_what, body) => {
    await using raw = await startRawGraph((response) => response.writeHead(200).end(body));
    await using graph = await startGraph({ config: { baseUrl: `${raw.origin}/beta` } });
    const { signal } = new AbortController();
    const page = await graph.client.list(graph.client.states(graph.configurationId), signal);
    expect(page).toMatchObject({ kind: 'uncertain', graph: { status: 200 } });
  });
});

// POST /v1/run-results/batch through the real app: each entry answered for itself, in order; what is wrong with the whole is refused whole.
import { gzipSync } from 'node:zlib';
import request from 'supertest';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { expectProblem, type Answer } from '../../support/answer.ts';
import { startTestApp, untilConnected, type TestApp } from '../../support/app.ts';
import { DEVICE_ID, runResult, sign } from '../../support/device.ts';
import { startFreshRedis } from '../../support/fresh-redis.ts';
import type { TestRedis } from '../../support/redis.ts';

const PATH = '/v1/run-results/batch';

let redis: TestRedis;
let world: TestApp;

startFreshRedis((started) => void (redis = started));
beforeEach(async () => {
  world = await startTestApp(redis, { env: { MAX_BATCH_BYTES: '2000000' }, random: () => 0 });
  await untilConnected(world);
});
afterEach(() => world.close());

type Sending = { type?: string; coding?: string };

const submit = async (body: string | Buffer, { type = 'application/json', coding }: Sending = {}): Promise<Answer> =>
  request(world.app)
    .post(PATH)
    .set({ 'Content-Type': type, ...(coding && { 'Content-Encoding': coding }), ...sign({ body, path: PATH }) })
    .serialize((sent: unknown) => sent as string)
    .send(body as string);

const batch = (...changes: Record<string, unknown>[]) => JSON.stringify(changes.map((change) => runResult(change)));
const queued = async () => Number((await redis.client.hget('runstate:{default}:counts', 'queued')) ?? 0);
type Told = { runId?: string; duplicate?: boolean; code?: string; status: unknown };
const brief = (body: unknown) => (body as Told[]).map(({ runId, duplicate, code }) => code ?? `${runId} ${duplicate}`);

describe('entries', () => {
  test('good, known, reused, faulty and foreign ones · are answered in order · each reported and counted', async () => {
    await submit(batch({ runId: 'known' }, { runId: 'reused' }));
    const foreign = { runId: 'b', deviceId: 'somebody-else' };
    const faulty = { runId: 'c', policyVersion: -1, completedAt: 'yesterday' };
    const answer = await submit(
      batch({ runId: 'a' }, { runId: 'known' }, { runId: 'reused', exitCode: 7 }, foreign, faulty),
    );
    expect(answer.status).toBe(200);
    expect(brief(answer.body)).toEqual([
      'a false',
      'known true',
      'run-id-reused',
      'wrong-device',
      'invalid-run-result',
    ]);
    const requestId = String(answer.headers['x-request-id']);
    const [first, , , , last] = answer.body as Record<string, unknown>[];
    expect(Object.keys(first ?? {})).toEqual([
      'deliveryId',
      'runId',
      'status',
      'duplicate',
      'acceptedAt',
      'expectedCreateAt',
    ]);
    expect(last).toMatchObject({
      status: 422,
      requestId,
      errors: [{ pointer: '/policyVersion' }, { pointer: '/completedAt' }],
    });
    expect(await queued()).toBe(3);
    const lines = world.lines.filter((line) => line['requestId'] === requestId && line.msg === 'submission');
    expect(lines.map(({ entry, code, deviceId }) => [entry, code, deviceId])).toEqual([
      [0, 'accepted', DEVICE_ID],
      [1, 'duplicate', DEVICE_ID],
      [2, 'run-id-reused', DEVICE_ID],
      [3, 'wrong-device', DEVICE_ID],
      [4, 'invalid-run-result', DEVICE_ID],
    ]);
    expect(await world.counted('accepted')).toBe(3);
    expect(await world.counted('invalid-run-result')).toBe(1);
  });

  test('nulls, unsigned exit codes and instants out of range · are read in a batch · as they are alone', async () => {
    const nulls = { osVersion: null, upn: null, state: null, output: null, error: null };
    const answer = await submit(
      batch(
        { runId: 'a', ...nulls, exitCode: 4_294_967_295 },
        { runId: 'a', output: undefined, exitCode: -1 },
        { runId: 'b', deviceName: null, state: null, exitCode: null },
        { runId: 'c', completedAt: '0001-01-01T00:00:00+00:01' },
      ),
    );
    expect(brief(answer.body)).toEqual(['a false', 'a true', 'invalid-run-result', 'invalid-run-result']);
    expect(answer.body).toMatchObject([
      {},
      {},
      { errors: [{ pointer: '/deviceName', detail: 'is required' }, { pointer: '' }] },
      { errors: [{ pointer: '/completedAt', detail: 'must have a year from 0001 to 9999 in UTC too' }] },
    ]);
  });

  test('the same run twice in one batch · is one delivery · and the second its duplicate', async () => {
    const { body } = await submit(batch({}, {}));
    expect(brief(body)).toEqual(['run-1 false', 'run-1 true']);
    expect(await queued()).toBe(1);
  });

  test('lines of NDJSON · are entries · a broken one is refused for itself and empty ones are none', async () => {
    const lines = [JSON.stringify(runResult({ runId: 'a' })), '', '{"broken', '  ', JSON.stringify(runResult())];
    const { status, body } = await submit(`${lines.join('\n')}\n`, { type: 'application/x-ndjson' });
    expect(status).toBe(200);
    expect(brief(body)).toEqual(['a false', 'invalid-json', 'run-1 false']);
  });

  test('lines of blanks that JSON does not know · are broken lines · each answered in its place', async () => {
    const lines = ['\u00a0', ' \t\r', '\u2028', '\ufeff', JSON.stringify(runResult())];
    const { body } = await submit(lines.join('\n'), { type: 'application/x-ndjson' });
    expect(brief(body)).toEqual(['invalid-json', 'invalid-json', 'invalid-json', 'run-1 false']);
  });

  test.each([1001, 100_000])('%i empty lines between them · are none · and every entry is answered', async (count) => {
    const empty = '\n'.repeat(count);
    const lines = ['a', 'b', 'c'].map((runId) => JSON.stringify(runResult({ runId })));
    const { body } = await submit(`${empty}${lines.join(empty)}`, { type: 'application/x-ndjson' });
    expect(brief(body)).toEqual(['a false', 'b false', 'c false']);
  });

  test('texts longer than a single run result may have · are too large · and the others are accepted', async () => {
    const long = 'x'.repeat(131_072);
    const body = batch({ runId: 'a', output: long, error: long }, { runId: 'b', output: long, error: `${long}x` });
    expect(brief((await submit(body)).body)).toEqual(['a false', 'too-large']);
  });

  test('a compressed batch · is signed as it was sent · and understood', async () => {
    const body = gzipSync(batch({ runId: 'a' }, { runId: 'b' }));
    const answer = await submit(body, { coding: 'gzip' });
    expect(brief(answer.body)).toEqual(['a false', 'b false']);
  });

  test('a thousand · are accepted in one go', async () => {
    const { body } = await submit(batch(...Array.from({ length: 1000 }, (_, number) => ({ runId: `r-${number}` }))));
    expect((body as Told[]).filter(({ status, duplicate }) => status === 'queued' && duplicate === false)).toHaveLength(
      1000,
    );
    expect(await queued()).toBe(1000);
  });

  test('none · is a batch too', async () => {
    expect((await submit('[]')).body).toEqual([]);
  });
});

describe('the whole', () => {
  test.each<[string, string | Buffer, Sending, number, string, string]>([
    ['no JSON', '[{', {}, 400, 'invalid-json', 'The body is not JSON in UTF-8'],
    ['JSON that is no array', '{}', {}, 422, 'invalid-request', 'The request has faults'],
    ['more than 1,000', `[${'{},'.repeat(1000)}{}]`, {}, 413, 'too-large', 'The body is too large'],
    ['1,001 lines', '{}\n'.repeat(1001), { type: 'application/x-ndjson' }, 413, 'too-large', 'The body is too large'],
    ['a swarm of values', `[[${'{},'.repeat(249_998)}{}]]`, {}, 413, 'too-large', 'The body is too large'],
    [
      'a compressed swarm',
      gzipSync(`"\\\n[${'[],'.repeat(300_000)}[]]`),
      { type: 'application/x-ndjson', coding: 'gzip' },
      413,
      'too-large',
      'The body is too large',
    ],
    ['too many bytes', `["${'x'.repeat(2_000_000)}"]`, {}, 413, 'too-large', 'The body is too large'],
    ['a bomb', gzipSync(' '.repeat(50_000_000)), { coding: 'gzip' }, 413, 'too-large', 'The body is too large'],
    ['no gzip', '[]', { coding: 'gzip' }, 400, 'bad-request', 'The request is not well-formed HTTP'],
  ])('%s · is refused whole · and nothing is stored', async (_what, body, sending, status, code, title) => {
    const answer = await submit(body, sending);
    const { detail, errors } = answer.body as { detail: string; errors?: { pointer: string; detail: string }[] };
    expectProblem(answer, { status, code, title, detail, ...(errors && { errors }) });
    expect(await queued()).toBe(0);
    expect(await world.counted(code)).toBe(1);
  });

  test.each([{ type: 'text/plain' }, { coding: 'br' }, { type: 'application/json; charset=utf-16' }])(
    'an unknown form %j · is refused as unsupported-media-type',
    async (sending) => {
      const answer = await submit(batch({}), sending);
      expect((answer.body as Told).code).toBe('unsupported-media-type');
    },
  );

  test('a signature over what was decompressed · is not of what was sent · and refused', async () => {
    const plain = batch({});
    const answer = await request(world.app)
      .post(PATH)
      .set({ 'Content-Type': 'application/json', 'Content-Encoding': 'gzip', ...sign({ body: plain, path: PATH }) })
      .serialize((sent: unknown) => sent as string)
      .send(gzipSync(plain) as unknown as string);
    expect((answer.body as Told).code).toBe('unauthenticated');
    expect(await queued()).toBe(0);
  });

  test('a signature of the single route · is not good here', async () => {
    const body = batch({});
    const headers = { 'Content-Type': 'application/json', ...sign({ body }) };
    expect((await request(world.app).post(PATH).set(headers).send(body)).status).toBe(401);
  });

  test('Redis away · is refused whole with 503 · to be sent again later', async () => {
    await redis.kill();
    try {
      const answer = await submit(batch({ runId: 'a' }, { runId: 'b' }));
      expect([answer.status, (answer.body as Told).code]).toEqual([503, 'queue-unavailable']);
      expect(answer.headers['retry-after']).toBe('2');
    } finally {
      await redis.start();
    }
  });

  test('only one entry that came at a bad time · is refused for itself · and the others for themselves', async () => {
    await redis.kill();
    try {
      const { status, body } = await submit(batch({ runId: 'a' }, { policyVersion: -1 }));
      expect(status).toBe(200);
      expect(brief(body)).toEqual(['queue-unavailable', 'invalid-run-result']);
    } finally {
      await redis.start();
    }
  });

  test('another method · is refused · and says what is allowed', async () => {
    const answer = await request(world.app).get(PATH);
    expect([answer.status, answer.headers['allow']]).toEqual([405, 'POST']);
  });
});

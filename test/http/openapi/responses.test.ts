// The API's document against the real app: each answer it knows, and no other, is heard as it is described.
import type { Express } from 'express';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createHealthApp } from '../../../src/http/health-app.ts';
import { listen, type Listener } from '../../../src/http/server.ts';
import type { Answer } from '../../support/answer.ts';
import {
  OPERATOR_TOKEN,
  startTestApi,
  startTestApp,
  untilConnected,
  type TestApi,
  type TestApp,
} from '../../support/app.ts';
import { buryDeliveries } from '../../support/dead-letters.ts';
import { runResult, sign, type Signing } from '../../support/device.ts';
import { ANY, documentedAnswers, expectDocumented } from '../../support/openapi.ts';
import { exchange, openSocket } from '../../support/raw-http.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { startSigningAuthority, type SigningAuthority } from '../../support/signing-authority.ts';
import { createTenantsFile } from '../../support/tenants-file.ts';
import { until } from '../../support/until.ts';

/** The service in each of the conditions that an answer needs. */
type Condition =
  'well' | 'unattended' | 'away' | 'busy' | 'strict' | 'full' | 'with Entra' | 'Entra away' | 'tenants' | 'broken';

const LIMITS = { headersTimeout: 300, requestTimeout: 300, connectionsCheckingInterval: 20 };
const OPERATOR = { Authorization: `Bearer ${OPERATOR_TOKEN}` };
const JSON_TYPE = { 'Content-Type': 'application/json' };

let redis: TestRedis;
let authority: SigningAuthority;
const worlds: Pick<TestApp, 'close'>[] = [];
const file = createTenantsFile();
const listeners = new Map<Condition, Listener>();

beforeAll(async () => {
  redis = await startTestRedis();
  authority = await startSigningAuthority();
  await serve('well', (await start({})).app);
  await serve('unattended', (await start({ OPERATOR_TOKEN: '' })).app);
  await serve('strict', (await start({ MAX_BODY_BYTES: '600', DEVICE_RATE_PER_MIN: '1' })).app);
  await serve('busy', (await start({ MAX_REQUESTS_IN_FLIGHT: '1' })).app);
  await serve('full', (await start({ MAX_BACKLOG_BYTES: '1' })).app);
  await serve('away', (await start({ REDIS_URL: 'unix:/nowhere/redis.sock' }, false)).app);
  await serve('with Entra', (await start(authority.env)).app);
  await serve('Entra away', (await start({ ...authority.env, AZURE_AUTHORITY_HOST: 'https://localhost:1' })).app);
  await serve('tenants', (await startTenants()).app);
  await serve('broken', createBrokenWorker());
});
afterAll(async () => {
  await Promise.all([...listeners.values()].map((listener) => listener.close()));
  await Promise.all(worlds.map((world) => world.close()));
  await authority.close();
  await redis.close();
  file.close();
});

async function start(env: Record<string, string>, connected = true): Promise<TestApp> {
  const world = await startTestApp(redis, { env: { DEVICE_DIRECTORY: 'entra', ...env } });
  worlds.push(world);
  if (connected) await untilConnected(world);
  return world;
}

/** Two, of which none is the default. */
async function startTenants(): Promise<TestApi> {
  file.write(['contoso', 'fabrikam'].map((id, index) => file.tenant(id, Buffer.alloc(32, index).toString('base64'))));
  const world = await startTestApi(redis, { env: { TENANTS_FILE: file.path } });
  worlds.push(world);
  return world;
}

async function serve(condition: Condition, app: Express): Promise<void> {
  listeners.set(
    condition,
    await listen(app, { host: '127.0.0.1', port: 0, onRefused: () => undefined, limits: LIMITS }),
  );
}

/** A worker that is starved, and whose metrics have a defect. */
function createBrokenWorker(): Express {
  return createHealthApp({
    isAlive: () => false,
    readiness: () => Promise.resolve({ status: 'failing', checks: {} }),
    metrics: () => Promise.reject(new Error('a defect')),
    onAnswer: () => undefined,
    onDefect: () => undefined,
  });
}

const portOf = (condition: Condition) => listeners.get(condition)?.port ?? 0;

async function ask(path: string, init: RequestInit = {}, condition: Condition = 'well'): Promise<Answer> {
  const answer = await fetch(`http://127.0.0.1:${portOf(condition)}${path}`, init);
  const text = await answer.text();
  const isJson = /json/.test(answer.headers.get('content-type') ?? '');
  return { status: answer.status, headers: Object.fromEntries(answer.headers), body: isJson ? JSON.parse(text) : text };
}

const RUN = JSON.stringify(runResult());
const BATCH = '/v1/run-results/batch';

type Submission = { body?: string; headers?: Record<string, string>; signing?: Partial<Signing>; to?: Condition };

function submit({ body = RUN, headers = {}, signing = {}, to = 'well' }: Submission = {}): Promise<Answer> {
  const init = { method: 'POST', headers: { ...JSON_TYPE, ...sign({ body, ...signing }), ...headers }, body };
  return ask('/v1/run-results', init, to);
}

type Batch = { signing?: Partial<Signing>; headers?: Record<string, string>; to?: Condition };

function submitBatch(body = `[${RUN}]`, { signing = {}, headers = {}, to = 'well' }: Batch = {}): Promise<Answer> {
  const signed = sign({ body, path: BATCH, ...signing });
  return ask(BATCH, { method: 'POST', headers: { ...JSON_TYPE, ...signed, ...headers }, body }, to);
}

const submitOther = (changes: Record<string, unknown>, further: Submission = {}) =>
  submit({ body: JSON.stringify(runResult(changes)), ...further });

async function find(changes: Partial<Signing> = {}, to: Condition = 'well'): Promise<Answer> {
  const receipt = (await submit()).body as { deliveryId: string };
  const path = `/v1/deliveries/${receipt.deliveryId}`;
  return ask(path, { headers: sign({ method: 'GET', path, body: null, ...changes }) }, to);
}

const DELIVERY = '/v1/deliveries/dAAAAAAAAAAAAAAAAAAAAAA';
const relay = (headers: Record<string, string>, to: Condition, path = '/v1/run-results') =>
  ask(path, { method: 'POST', headers: { ...JSON_TYPE, ...headers }, body: RUN }, to);
const operate = (path: string, to: Condition = 'well', headers: Record<string, string> = OPERATOR) =>
  ask(path, { headers }, to);
const select = (path: string, body: string, headers: Record<string, string> = {}, to: Condition = 'well') =>
  ask(path, { method: 'POST', headers: { ...JSON_TYPE, ...OPERATOR, ...headers }, body }, to);

/** The watch looks once a second. */
async function untilFull(submitNext: (runId: string) => Promise<Answer>): Promise<Answer> {
  let runs = 0;
  return until('the backlog is full', async () => {
    const answer = await submitNext(`run-of-many-${(runs += 1)}`);
    return answer.status < 300 ? null : answer;
  });
}

/** While another request is in hand: its head has come, its body has not. */
async function whileBusy(question: () => Promise<Answer>, path = '/v1/run-results'): Promise<Answer> {
  const socket = await openSocket(portOf('busy'));
  const fields = { Host: 'bridge', 'Content-Length': 9, ...JSON_TYPE, ...sign({ path, body: '{}' }) };
  const head = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`POST ${path} HTTP/1.1\r\n${head.join('')}Expect: 100-continue\r\n\r\n`);
  await new Promise((resolve) => socket.once('data', resolve));
  try {
    return await question();
  } finally {
    socket.destroy();
  }
}

const withToken = async (...roles: string[]) => ({ Authorization: `Bearer ${await authority.issue(...roles)}` });

type Ask = (to: Condition, headers?: Record<string, string>) => Promise<Answer>;

/** What operators and those who are none may hear. */
const ofOperatorsPage = (operation: string, ask: Ask) => ({
  [`${operation} 200`]: () => ask('well'),
  [`${operation} 401 unauthenticated`]: () => ask('well', { Authorization: 'Bearer wrong' }),
  [`${operation} 403 role-missing`]: async () => ask('with Entra', await withToken('RunResults.Submit')),
  [`${operation} 404 not-found`]: () => ask('unattended'),
  [`${operation} 503 identity-unavailable`]: async () => ask('Entra away', await withToken()),
});

/** The same, of a route that asks the queue. */
const ofOperators = (operation: string, ask: Ask) => ({
  ...ofOperatorsPage(operation, ask),
  [`${operation} 503 queue-unavailable`]: () => ask('away'),
});

/** The same, of a route that takes a body. */
const ofQuestions = (operation: string, path: string, body: object) => ({
  ...ofOperators(operation, (to, headers) => select(path, JSON.stringify(body), headers, to)),
  [`${operation} 400 invalid-json`]: () => select(path, '{'),
  [`${operation} 413 too-large`]: () => select(path, JSON.stringify({ filter: { code: 'x'.repeat(250_000) } })),
  [`${operation} 415 unsupported-media-type`]: () => select(path, '{}', { 'Content-Encoding': 'compress' }),
  [`${operation} 422 invalid-request`]: () => select(path, '{"deliveryId":7}'),
});

const ofSelections = (operation: string, path: string) => ofQuestions(operation, path, { filter: {} });

/** A dead letter, and a replay that takes as good as forever; those before are cancelled. */
async function startReplay(): Promise<Answer> {
  const world = worlds[0] as TestApp;
  await buryDeliveries({ redis, queue: world.tenant }, 1, () => 1000).catch(() => undefined);
  return select('/v1/dead-letters/replay', '{"filter":{},"perSecond":0.01}');
}

async function openReplay(): Promise<string> {
  await startReplay();
  const { body } = await operate('/v1/replays');
  return (body as { replays: { id: string }[] }).replays[0]?.id ?? '';
}

const changeReplay = (id: string, verb: string, query = '') => select(`/v1/replays/${id}/${verb}${query}`, '');

/** Of one that is open; it is cancelled afterwards. */
const ofReplays = (operation: string, verb: string) => ({
  ...ofOperators(operation, async (to, headers = {}) => {
    const id = await openReplay();
    const answer = await select(`/v1/replays/${id}/${verb}`, '', headers, to);
    await changeReplay(id, 'cancel');
    return answer;
  }),
  [`${operation} 409 replay-ended`]: async () => {
    const replays = (worlds[0] as TestApp).tenant.replays;
    const id = await openReplay();
    await redis.client.hset((worlds[0] as TestApp).tenant.keys.replay(id).replay, 'state', 'done');
    expect(await replays.findOpen()).toBeNull();
    return changeReplay(id, verb);
  },
  [`${operation} 422 invalid-request`]: async () => changeReplay(await openReplay(), verb, '?tenent=a'),
});

const ofDevices = (operation: string, verb: string, deviceId = 'LOST-1') => ({
  ...ofOperators(operation, (to, headers) => select(`/v1/devices/${deviceId}/${verb}`, '', headers, to)),
  [`${operation} 422 invalid-request`]: () => select(`/v1/devices/no%20device/${verb}`, ''),
});

/** Every answer the document knows, and how to hear it. */
const PROVOCATIONS: Record<string, () => Promise<Answer>> = {
  'submitRunResult 202': () => submitOther({ runId: 'run-new' }),
  'submitRunResult 200': async () => (await submit(), submit()),
  'submitRunResult 400 invalid-json': () => submit({ body: '{' }),
  'submitRunResult 401 unauthenticated': () => submit({ signing: { createdS: 1 } }),
  'submitRunResult 403 wrong-device': () => submitOther({ deviceId: 'another' }),
  'submitRunResult 403 role-missing': async () => relay(await withToken('Operate'), 'with Entra'),
  'submitRunResult 409 run-id-reused': async () => (await submit(), submitOther({ exitCode: 5 })),
  'submitRunResult 413 too-large': () => submitOther({ output: 'x'.repeat(600) }, { to: 'strict' }),
  'submitRunResult 415 unsupported-media-type': () => submit({ headers: { 'Content-Type': 'text/plain' } }),
  'submitRunResult 422 invalid-run-result': () => submitOther({ policyVersion: -1 }),
  'submitRunResult 429 too-fast': async () => (await submit({ to: 'strict' }), submit({ to: 'strict' })),
  'submitRunResult 429 backlog-full': () => untilFull((runId) => submitOther({ runId }, { to: 'full' })),
  'submitRunResult 503 identity-unavailable': async () => relay(await withToken(), 'Entra away'),
  'submitRunResult 503 overloaded': () => whileBusy(() => submit({ to: 'busy' })),
  'submitRunResult 503 queue-unavailable': () => submit({ to: 'away' }),
  'submitBatch 200': () => submitBatch(`[${RUN},{}]`),
  'submitBatch 400 invalid-json': () => submitBatch('['),
  'submitBatch 401 unauthenticated': () => submitBatch(undefined, { signing: { createdS: 1 } }),
  'submitBatch 403 role-missing': async () => relay(await withToken('Operate'), 'with Entra', BATCH),
  'submitBatch 413 too-large': () => submitBatch(`[${'{},'.repeat(1000)}{}]`),
  'submitBatch 415 unsupported-media-type': () => submitBatch('', { headers: { 'Content-Type': 'text/plain' } }),
  'submitBatch 422 invalid-request': () => submitBatch('{}'),
  'submitBatch 429 too-fast': async () => (
    await submitBatch('[]', { to: 'strict' }),
    submitBatch('[]', { to: 'strict' })
  ),
  'submitBatch 429 backlog-full': () =>
    untilFull((runId) => submitBatch(JSON.stringify([runResult({ runId })]), { to: 'full' })),
  'submitBatch 503 identity-unavailable': async () => relay(await withToken(), 'Entra away', BATCH),
  'submitBatch 503 overloaded': () => whileBusy(() => submitBatch(undefined, { to: 'busy' }), BATCH),
  'submitBatch 503 queue-unavailable': () => submitBatch(undefined, { to: 'away' }),
  'findDelivery 200': () => find(),
  'findDelivery 401 unauthenticated': () => find({ createdS: 1 }),
  'findDelivery 403 role-missing': async () => ask(DELIVERY, { headers: await withToken() }, 'with Entra'),
  'findDelivery 503 identity-unavailable': async () => ask(DELIVERY, { headers: await withToken() }, 'Entra away'),
  'findDelivery 404 not-found': () => find({ deviceId: 'another' }),
  'findDelivery 503 overloaded': () => whileBusy(() => find({}, 'busy')),
  'findDelivery 503 queue-unavailable': () => find({}, 'away'),
  ...ofOperators('readStatus', (to, headers) => operate('/v1/status', to, headers)),
  ...ofOperators('listDeliveries', (to, headers) => operate('/v1/deliveries?status=dead', to, headers)),
  'listDeliveries 422 invalid-request': () => operate('/v1/deliveries'),
  ...ofOperators('listDevices', (to, headers) => operate('/v1/devices', to, headers)),
  'listDevices 422 invalid-request': () => operate('/v1/devices?silentForH=0'),
  ...ofQuestions('compareExpectedDevices', '/v1/devices/expected', { deviceIds: ['LAPTOP-0042'] }),
  ...ofOperators('listSummaries', (to, headers) => operate('/v1/summaries', to, headers)),
  'listSummaries 422 invalid-request': () => operate('/v1/summaries?from=yesterday'),
  ...ofOperators('listDeadLetters', (to, headers) => operate('/v1/dead-letters', to, headers)),
  'listDeadLetters 422 invalid-request': () => operate('/v1/dead-letters?limit=501'),
  ...ofSelections('replayDeadLetters', '/v1/dead-letters/replay'),
  'replayDeadLetters 202': () => startReplay(),
  'replayDeadLetters 409 replay-running': async () => (await startReplay(), startReplay()),
  ...ofOperators('listReplays', (to, headers) => operate('/v1/replays', to, headers)),
  ...ofReplays('pauseReplay', 'pause'),
  ...ofReplays('resumeReplay', 'resume'),
  ...ofReplays('cancelReplay', 'cancel'),
  ...ofSelections('purgeDeadLetters', '/v1/dead-letters/purge'),
  'endThrottle 422 invalid-request': () => ask('/v1/throttle/end', { method: 'POST', headers: OPERATOR }, 'tenants'),
  ...ofOperators('endThrottle', (to, headers) => select('/v1/throttle/end', '', headers, to)),
  ...ofOperators('listRevokedDevices', (to, headers) => operate('/v1/devices/revoked', to, headers)),
  ...ofDevices('revokeDevice', 'revoke'),
  ...ofDevices('restoreDevice', 'restore'),
  ...ofDevices('retireDevice', 'retire'),
  ...ofDevices('forgetDevice', 'forget', '5f1d2c3b-7a90-4e58-b6c1-0d9e8f7a6b54'),
  ...ofOperatorsPage('showDashboard', (to, headers) => operate('/dashboard', to, headers)),
  'isAlive 200': () => ask('/livez'),
  'isAlive 503': () => ask('/livez', {}, 'broken'),
  'isReady 200': () => ask('/readyz'),
  'isReady 503': () => ask('/readyz', {}, 'away'),
  'scrapeMetrics 200': () => ask('/metrics'),
  'readDocument 200': () => ask('/openapi.json'),
  'showDocument 200': () => ask('/docs'),
  [`${ANY} bad-request`]: () => exchange(portOf('well'), 'GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n'),
  [`${ANY} not-found`]: () => ask('/v2'),
  [`${ANY} method-not-allowed`]: () => ask('/v1/status', { method: 'DELETE' }),
  [`${ANY} request-timeout`]: () => exchange(portOf('well'), 'GET /livez HTTP/1.1\r\n'),
  [`${ANY} url-too-long`]: () => ask(`/livez?${'x'.repeat(10_000)}`),
  [`${ANY} headers-too-large`]: () => ask('/livez', { headers: { 'X-Large': 'x'.repeat(17_000) } }),
  [`${ANY} internal-error`]: () => ask('/metrics', {}, 'broken'),
};

test('the answers that are documented · are those provoked here · one by one', () => {
  expect(Object.keys(PROVOCATIONS).sort()).toEqual(documentedAnswers().sort());
});

test.each(Object.entries(PROVOCATIONS))(
  'the answer “%s” · is heard from the app · as documented',
  async (name, provoke) => {
    const answer = await provoke();
    const { code } = (answer.body ?? {}) as { code?: unknown };
    const [operation = '', ...told] = name.split(' ');
    expect([
      ...(operation === ANY ? [] : [String(answer.status)]),
      ...(typeof code === 'string' ? [code] : []),
    ]).toEqual(told);
    expectDocumented(operation, answer);
  },
);

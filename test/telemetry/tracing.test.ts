// Tracing with real processes and a collector: one trace from the device's POST to Graph; off it costs nothing, and a collector that is away nobody.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts';
import { parseTracing } from '../../src/config/tracing.ts';
import { DEVICE_ID, GROUP_KEY, runResult, sign } from '../support/device.ts';
import { startCollector, type CollectedSpan, type Collector } from '../support/otlp.ts';
import { startApi, startProcess, type TestProcess } from '../support/process.ts';
import { send } from '../support/raw-http.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const CALLER = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' };
const SECRETS = { output: 'OUTPUT-of-the-device', error: 'ERROR-of-the-device', upn: 'someone@contoso.example' };

let sandbox: Sandbox;
let redis: TestRedis;
let collector: Collector;
let processes: TestProcess[] = [];

beforeAll(async () => {
  sandbox = await createSandbox();
  redis = await startTestRedis();
});
beforeEach(async () => {
  collector = await startCollector();
});
afterEach(async () => {
  await Promise.all(processes.map((process) => process.close()));
  processes = [];
  await collector.close();
  await redis.client.flushall();
});
afterAll(async () => {
  await redis.close();
  await sandbox.close();
});

type World = { api: TestProcess; worker: TestProcess; port: number };

async function start(tracing: Record<string, string>): Promise<World> {
  const env = {
    ...sandbox.environment(),
    REDIS_URL: redis.url,
    DEVICE_GROUP_KEYS: GROUP_KEY,
    HOST: '127.0.0.1',
    WORKER_PORT: '0',
    UNCERTAIN_LOOK_AFTER_MS: '100',
    SHUTDOWN_GRACE_MS: '8000',
    ...tracing,
  };
  const worker = startProcess('workers/main.ts', env);
  processes.push(worker);
  const { api, port } = await startApi(env);
  processes.push(api);
  await worker.line('working');
  return { api, worker, port };
}

async function submit(port: number, runId: string, headers: Record<string, string> = {}): Promise<string> {
  const changes = { runId, hardwareConfigurationId: sandbox.configurationIds[0], ...SECRETS };
  const body = JSON.stringify(runResult(changes));
  const fields = { 'Content-Type': 'application/json', ...sign({ body }), ...headers };
  const answer = await send({ port, method: 'POST', path: '/v1/run-results', headers: fields, body });
  expect(answer.status).toBe(202);
  return (answer.body as { deliveryId: string }).deliveryId;
}

const attemptsOf = ({ worker }: World, deliveryId: string) =>
  worker.lines.filter((line) => line.msg === 'attempt' && line['deliveryId'] === deliveryId);

const ends = (world: World, deliveryId: string) =>
  until(`${deliveryId} is delivered`, () => attemptsOf(world, deliveryId).some((line) => line['then'] === 'done'));

async function stop({ api, worker }: World): Promise<void> {
  for (const process of [worker, api]) {
    process.signal('SIGTERM');
    expect(await process.ended).toBe(0);
  }
}

const only = <T>(found: T[]): T => {
  expect(found).toHaveLength(1);
  return found[0] as T;
};
const childrenOf = ({ spanId }: CollectedSpan) => collector.spans.filter(({ parentSpanId }) => parentSpanId === spanId);

test('a submission that loses its first answer · is one trace from the device to Graph · sent before the end', async () => {
  const world = await start({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_HEADERS: 'api-key=of-the-collector',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
  });
  sandbox.script('next 1 create: 504 after the write');
  const traceparent = `00-${CALLER.traceId}-${CALLER.spanId}-01`;
  const deliveryId = await submit(world.port, 'run-1', { traceparent, 'X-Request-Id': 'request-1' });
  await ends(world, deliveryId);
  await stop(world);

  expect(new Set(collector.spans.map(({ traceId }) => traceId))).toEqual(new Set([CALLER.traceId]));
  expect(new Set(collector.requests.map(({ path, headers }) => `${path} ${String(headers['api-key'])}`))).toEqual(
    new Set(['/v1/traces of-the-collector']),
  );
  expect(collector.spans.every(({ resource }) => resource['deployment.environment.name'] === 'test')).toBe(true);

  const submission = only(collector.spans.filter(({ kind }) => kind === 'server'));
  expect(submission).toMatchObject({
    service: 'runstate-bridge-api',
    parentSpanId: CALLER.spanId,
    name: 'POST /v1/run-results',
    isError: false,
    attributes: {
      'http.request.method': 'POST',
      'http.route': '/v1/run-results',
      'http.response.status_code': 202,
      'runstate.request_id': 'request-1',
      'runstate.delivery_id': deliveryId,
      'runstate.code': 'accepted',
    },
  });

  const attempts = childrenOf(submission).sort((a, b) => a.startMs - b.startMs);
  expect(attempts).toMatchObject(
    [
      { outcome: 'uncertain', sends: 'create', isError: true },
      { outcome: 'found', sends: 'look', isError: false },
    ].map(({ outcome, sends, isError }, index) => ({
      service: 'runstate-bridge-worker',
      name: 'deliver',
      kind: 'consumer',
      isError,
      links: [{ traceId: CALLER.traceId, spanId: submission.spanId }],
      attributes: {
        'runstate.delivery_id': deliveryId,
        'runstate.attempt': index + 1,
        'runstate.outcome': outcome,
        'runstate.sends': sends,
      },
    })),
  );

  const requests = attempts.flatMap(childrenOf);
  expect(requests.map(({ name }) => name).sort()).toEqual(['GET list', 'POST create', 'POST token']);
  for (const [operation, status] of [['create', 504] as const, ['list', 200] as const]) {
    const request = only(requests.filter(({ attributes }) => attributes['runstate.operation'] === operation));
    const sent = only(sandbox.requests().filter((one) => one.operation === operation));
    expect(request).toMatchObject({
      kind: 'client',
      isError: status === 504,
      attributes: {
        'http.request.header.client-request-id': [sent.clientRequestId],
        'http.response.header.request-id': [sent.requestId],
        'http.response.status_code': status,
      },
    });
    expect(request.endMs).toBeGreaterThanOrEqual(request.startMs);
  }

  const line = only(world.api.lines.filter(({ msg }) => msg === 'submission'));
  expect(line).toMatchObject({ requestId: 'request-1', deliveryId, traceId: CALLER.traceId });
  expect(attemptsOf(world, deliveryId).map((line) => line['traceId'])).toEqual([CALLER.traceId, CALLER.traceId]);

  const everything = Buffer.concat(collector.requests.map(({ body }) => body)).toString('latin1');
  const never = [...Object.values(SECRETS), DEVICE_ID, sandbox.clientSecret, GROUP_KEY, 'Bearer', 'eyJ'];
  expect(never.filter((secret) => everything.includes(secret))).toEqual([]);
});

test('a caller without a trace · begins one · and one that is not sampled stays unseen', async () => {
  const world = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_SERVICE_NAME: 'bridge' });
  const unseen = await submit(world.port, 'run-2', { traceparent: `00-${CALLER.traceId}-${CALLER.spanId}-00` });
  await ends(world, unseen);
  const seen = await submit(world.port, 'run-3', { traceparent: 'no trace at all' });
  await ends(world, seen);
  await stop(world);
  const submission = only(collector.spans.filter(({ kind }) => kind === 'server'));
  expect(submission).toMatchObject({
    service: 'bridge',
    parentSpanId: '',
    attributes: { 'runstate.delivery_id': seen },
  });
  expect(collector.spans.filter(({ traceId }) => traceId !== submission.traceId)).toEqual([]);
  expect(childrenOf(submission).map(({ name }) => name)).toEqual(['deliver']);
});

test.each<[string, () => string]>([
  ['hangs', () => collector.url],
  ['is not there', () => 'http://127.0.0.1:1'],
])('a collector that %s · holds up no one · and is told of in the log', async (_how, endpoint) => {
  await collector.close();
  collector = await startCollector('hangs');
  const world = await start({
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint(),
    OTEL_EXPORTER_OTLP_TIMEOUT: '300',
    OTEL_BSP_SCHEDULE_DELAY: '10',
  });
  await ends(world, await submit(world.port, 'run-4'));
  await world.api.line('traces could not be sent');
  const startedAt = performance.now();
  await stop(world);
  expect(performance.now() - startedAt).toBeLessThan(5000);
  expect([...world.api.lines, ...world.worker.lines].filter(({ msg }) => msg.startsWith('defect'))).toEqual([]);
  expect(world.api.stderr() + world.worker.stderr()).toBe('');
});

test.each<[string, Record<string, string>]>([
  ['nothing asks for it', {}],
  ['OTEL_SDK_DISABLED is true', { OTEL_SDK_DISABLED: 'true' }],
])('where %s · nothing is traced · and no log line names a trace', async (_why, env) => {
  const traced = 'OTEL_SDK_DISABLED' in env ? { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url } : {};
  const world = await start({ ...traced, ...env });
  const traceparent = `00-${CALLER.traceId}-${CALLER.spanId}-01`;
  const deliveryId = await submit(world.port, 'run-5', { traceparent });
  await ends(world, deliveryId);
  await stop(world);
  expect(collector.requests).toEqual([]);
  expect([...world.api.lines, ...world.worker.lines].filter((line) => 'traceId' in line)).toEqual([]);
});

describe('what the environment asks for', () => {
  const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };
  const ON = {
    sampling: { root: 'always', followsParent: true },
    maxQueueSize: 2048,
    maxExportBatchSize: 512,
    scheduledDelayMillis: 5000,
    exportTimeoutMillis: 30_000,
  };

  test.each<[string, Record<string, string>, object | null, string[]]>([
    ['nothing', {}, null, []],
    ['an empty endpoint', { OTEL_EXPORTER_OTLP_ENDPOINT: '' }, null, []],
    ['an endpoint', ENDPOINT, ON, []],
    ['an endpoint for traces', { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://collector:4318/v1/traces' }, ON, []],
    ['the exporter', { OTEL_TRACES_EXPORTER: 'otlp' }, ON, []],
    ['no exporter', { ...ENDPOINT, OTEL_TRACES_EXPORTER: 'none' }, null, []],
    ['another exporter', { OTEL_TRACES_EXPORTER: 'zipkin' }, null, ['OTEL_TRACES_EXPORTER']],
    ['disabled', { ...ENDPOINT, OTEL_SDK_DISABLED: 'TRUE' }, null, []],
    ['another protocol', { ...ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, ON, ['OTEL_EXPORTER_OTLP_PROTOCOL']],
    ['another sampler', { ...ENDPOINT, OTEL_TRACES_SAMPLER: 'xray' }, ON, ['OTEL_TRACES_SAMPLER']],
    [
      'a tenth',
      { ...ENDPOINT, OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.1' },
      { ...ON, sampling: { root: { ratio: 0.1 }, followsParent: false } },
      [],
    ],
    [
      'more than all',
      { ...ENDPOINT, OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '2' },
      { ...ON, sampling: { root: { ratio: 1 }, followsParent: true } },
      ['OTEL_TRACES_SAMPLER_ARG'],
    ],
    [
      'small batches',
      { ...ENDPOINT, OTEL_BSP_MAX_QUEUE_SIZE: '10', OTEL_BSP_SCHEDULE_DELAY: 'soon' },
      { ...ON, maxQueueSize: 10, maxExportBatchSize: 10 },
      ['OTEL_BSP_SCHEDULE_DELAY'],
    ],
  ])('%s · is understood · as OpenTelemetry says', (_what, env, config, ignored) => {
    const asked = parseTracing(env);
    expect(asked.config).toEqual(config);
    expect(asked.ignored.map((fault) => fault.split(' ')[0])).toEqual(ignored);
  });
});

// A real Prometheus over the real processes: every panel of the dashboard and every rule asks for what is there.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { deriveDeviceKey } from '../../src/domain/submission/device-key.ts';
import { queryOf, render } from '../deploy/chart.ts';
import { submit, type DeviceClientOptions } from '../../src/device/device-client.ts';
import { createSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts';
import { startProcess, type TestProcess } from '../support/process.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';
import { isInstalled } from '../support/is-installed.ts';
import { until } from '../support/until.ts';
import { startPrometheus, type TestPrometheus } from './prometheus.ts';
import { readPanelQueries, selectorsOf } from './sources.ts';

const GROUP_KEY = Buffer.alloc(48, 'observed');
const DEVICE_ID = 'laptop-0042';

describe.skipIf(!isInstalled('prometheus'))('Prometheus (skipped where it is not installed)', () => {
  let redis: TestRedis;
  let sandbox: Sandbox;
  let processes: TestProcess[];
  let prometheus: TestPrometheus;
  let agent: DeviceClientOptions;

  beforeAll(async () => {
    [redis, sandbox] = await Promise.all([startTestRedis('--maxmemory', '1gb'), createSandbox()]);
    const environment = {
      ...sandbox.environment(),
      ...sandbox.deviceEnvironment(),
      REDIS_URL: redis.url,
      DEVICE_GROUP_KEYS: GROUP_KEY.toString('base64'),
      HOST: '127.0.0.1',
      PORT: '0',
      WORKER_PORT: '0',
      UNCERTAIN_LOOK_AFTER_MS: '100',
      HOLD_PROBE_MS: '100',
      GRAPH_WRITES_PER_20S: '1000',
    };
    // The token endpoint fails once, so that a token request that failed is there to be asked for.
    sandbox.script('next 1 token: 503');
    const [api, worker] = [startProcess('src/main.ts', environment), startProcess('workers/main.ts', environment)];
    processes = [api, worker];
    const ports = {
      api: Number((await api.line('listening'))['port']),
      worker: Number((await worker.line('working'))['port']),
    };
    prometheus = await startPrometheus(ports);
    const deviceKey = deriveDeviceKey(GROUP_KEY, DEVICE_ID).toString('base64');
    agent = { baseUrl: `http://127.0.0.1:${ports.api}`, deviceId: DEVICE_ID, deviceKey };
    await live();
  }, 60_000);

  afterAll(async () => {
    await prometheus.close();
    await Promise.all(processes.map((process) => process.close()));
    await Promise.all([sandbox.close(), redis.close()]);
  });

  /** A bit of everything: created, found after a lost answer, throttled, dead, twice the same, refused, Redis away. */
  async function live(): Promise<void> {
    await delivered(1);
    sandbox.script('next 1 create: 504 after the write');
    await delivered(2);
    sandbox.script('next 1 create: 429 with Retry-After 1');
    await delivered(3);
    sandbox.script('next 1 create: 400');
    await submit(aRun(4), agent);
    await reaches('runstate_deliveries{status="dead"}', 1);
    await submit(aRun(1), agent);
    await submit(aRun(5), { ...agent, deviceKey: Buffer.alloc(32).toString('base64') });
    await redis.kill();
    await submit(aRun(6), agent);
    await reaches('runstate_redis_up', 0);
    await redis.start();
    await until('submissions are taken again', async () => (await submit(aRun(7), agent)).kind !== 'refused');
    await reaches('runstate_redis_up', 1);
    // A rate needs two samples of each series.
    await until('every counter was scraped again', async () => {
      const scrapes = await prometheus.countScrapes('{__name__=~"runstate_.+_total"}[1m]');
      return scrapes.length > 0 && Math.min(...scrapes) >= 2;
    });
  }

  const aRun = (number: number) => ({
    runId: `run-${number}`,
    deviceId: DEVICE_ID,
    hardwareConfigurationId: sandbox.configurationIds[0],
    deviceName: 'BER-LT-0042',
    policyVersion: 4,
    completedAt: `2026-11-23T10:1${number}:30Z`,
    exitCode: 0,
  });

  /** Submits one more and waits until it is delivered: the script is for one at a time. */
  async function delivered(number: number): Promise<void> {
    expect(await submit(aRun(number), agent)).toMatchObject({ kind: 'accepted' });
    await reaches('runstate_deliveries{status="delivered"}', number);
  }

  /** Waits until every process says so. */
  async function reaches(selector: string, value: number): Promise<void> {
    await until(
      `${selector} is ${value}`,
      async () => {
        const samples = await prometheus.query(selector);
        return samples.length === 2 && samples.every((sample) => Number(sample.value[1]) === value);
      },
      20_000,
    );
  }

  test('every panel of the dashboard · asks what Prometheus can answer · and there is something to show', async () => {
    const queries = readPanelQueries();
    const empty: string[] = [];
    for (const { panel, expr } of queries) {
      if ((await prometheus.query(expr)).length === 0) empty.push(`${panel}: ${expr}`);
    }
    expect(queries.length).toBeGreaterThan(25);
    expect(empty).toEqual([]);
  });

  test('every rule · is evaluated · over series that are there', async () => {
    const rules = await until('every rule was evaluated', async () => {
      const all = await prometheus.rules();
      return all.every(({ health }) => health !== 'unknown') && all;
    });
    const selectors = new Set(rules.flatMap(({ query }) => selectorsOf(query)));
    const empty: string[] = [];
    for (const selector of selectors) if ((await prometheus.query(selector)).length === 0) empty.push(selector);
    for (const { query } of rules) await prometheus.query(query);
    expect(rules.filter(({ health }) => health !== 'ok')).toEqual([]);
    expect(selectors.size).toBeGreaterThan(15);
    // Only where there is a tenants file.
    expect(empty).toEqual(['runstate_tenants_file_faults']);
  });

  test.skipIf(!isInstalled('helm'))('what KEDA asks · is about series that are there · and has an answer', async () => {
    const objects = (await render('scaling-monitoring')).filter(({ kind }) => kind === 'ScaledObject');
    // This Prometheus scrapes no pods.
    const queries = objects.map((one) => queryOf(one).replaceAll(/,(?:namespace|pod)=~?"[^"]+"/g, ''));
    expect(queries).toHaveLength(2);
    const empty: string[] = [];
    for (const selector of queries.flatMap(selectorsOf)) {
      if ((await prometheus.query(selector)).length === 0) empty.push(selector);
    }
    expect(empty).toEqual([]);
    for (const query of queries) expect((await prometheus.query(query)).length).toBeLessThanOrEqual(1);
  });

  test('all that happened · triggers no alert · but the dead letter', async () => {
    await until('it is told', async () => (await firing()).length > 0);
    expect(await firing()).toEqual(['RunstateDeadLetters']);
  });

  async function firing(): Promise<(string | undefined)[]> {
    const samples = await prometheus.query('ALERTS{alertstate="firing"}');
    return samples.map(({ metric }) => metric['alertname']);
  }
});

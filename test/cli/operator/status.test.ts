// `status` against a real bridge: what it shows and by which code it ends, once and live.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { toScreen } from '../../../src/cli/operator/status-text.ts';
import { levelOf, type BridgeStatus } from '../../../src/cli/operator/bridge-status.ts';
import { toGraphFactsView } from '../../../src/api/graph-facts-view.ts';
import type { Tenant } from '../../../src/queue/tenant.ts';
import { holdAll, release } from '../../support/hold.ts';
import { startTestBridge, type TestBridge } from '../../support/bridge.ts';
import { runCli, startCli } from '../../support/cli.ts';
import { freePort } from '../../support/free-port.ts';
import { aRun } from '../../support/tenant.ts';
import { until } from '../../support/until.ts';

const OPERATOR_TOKEN = 'operators-of-the-status-test-of-the-cli';
const operator = { env: { OPERATOR_TOKEN } };

let bridge: TestBridge;
let queue: Tenant;
let url: string;

beforeAll(async () => {
  bridge = await startTestBridge({ OPERATOR_TOKEN });
  ({ queue, url } = bridge);
});
afterAll(() => bridge.close());

describe('once', () => {
  test('nothing in the way · exit 0 · with the counts', async () => {
    await queue.deliveries.accept(aRun(1), Date.now());
    const { code, stdout } = await runCli(['status', '--url', url], operator);
    expect(stdout).toContain('deliveries flow');
    expect(stdout).toMatch(/│ default │ 1 +│ 0 +│ 0 +│ 0 +│ 0 +│/);
    expect(stdout).toContain('durability: always');
    expect(code).toBe(0);
  });

  test('held · exit 4 · with reason and remedy, in JSON too', async () => {
    await holdAll(queue.budget, 'forbidden', '403 Forbidden');
    const text = await runCli(['status', '--url', url], operator);
    expect(text.stdout).toMatch(
      /default is held since .* UTC, forbidden: 403 Forbidden\n {2}→ Grant the app registration/,
    );
    expect(text.code).toBe(4);
    const json = await runCli(['status', '--url', url, '--json'], operator);
    expect(JSON.parse(json.stdout)).toMatchObject({
      level: 'degraded',
      readiness: { status: 'degraded' },
      status: { tenants: [{ id: 'default', counts: { queued: 1 }, holds: [{ reason: 'forbidden' }] }] },
    });
    expect(json.code).toBe(4);
    await release(queue.budget);
  });

  test('nobody there, no token, a wrong one · 75, 64, 65', async () => {
    const unreachable = await runCli(['status', '--url', `http://127.0.0.1:${await freePort()}`], operator);
    expect([unreachable.code, unreachable.stdout]).toEqual([
      75,
      expect.stringContaining('is not reachable: connect ECONNREFUSED'),
    ]);
    expect((await runCli(['status', '--url', url])).code).toBe(64);
    const wrong = await runCli(['status', '--url', url], { env: { OPERATOR_TOKEN: 'x'.repeat(40) } });
    expect([wrong.code, wrong.stdout]).toEqual([65, '']);
  });
});

test('watched · a line for each change, also while the bridge is unreachable · and Ctrl-C ends it with 0', async () => {
  const watching = startCli(['status', '--url', url, '--watch'], operator);
  const said = (text: RegExp) => until(String(text), () => text.test(watching.stdout()), 10_000);
  await said(/flows · queued 1 /);
  await queue.deliveries.accept(aRun(2), Date.now());
  await said(/flows · queued 2 /);
  await bridge.api.close();
  await said(/unreachable: .*ECONNREFUSED/);
  await bridge.startAgain();
  await said(/unreachable: .*\n(.*\n)?.*flows · queued 2 /);
  watching.signal('SIGINT');
  const { code, stdout, stderr } = await watching.ended;
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout.trim().split('\n').length).toBeLessThan(10);
}, 40_000);

const UNSEEN = toGraphFactsView({
  createProven: null,
  filterTaken: null,
  orderByTaken: null,
  deleteByKeyTaken: null,
  oneRowPerDevice: null,
});
const PACE = { budgetWritesPerSecond: 5, drainSeconds: 1 };

test('nothing changes · one line · however often it looks', async () => {
  let looks = 0;
  const server = createServer((request, response) => {
    const ready = request.url === '/readyz';
    if (ready) looks += 1;
    const counts = { queued: 3, delivering: 0, waiting: 0, delivered: 0, dead: 0 };
    const tenant = { id: 'default', counts, holds: [], oldestQueuedAgeSeconds: looks, graph: UNSEEN, ...PACE };
    response.end(JSON.stringify(ready ? { status: 'ok', checks: {} } : { tenants: [tenant], durability: 'always' }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const watching = startCli(['status', '--url', address, '--watch'], operator);
  await until('three looks', () => looks >= 3, 10_000);
  watching.signal('SIGINT');
  const { code, stdout } = await watching.ended;
  server.close();
  server.closeAllConnections();
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^\S+ {2}flows · queued 3 · .*\n$/)]);
}, 20_000);

test('Redis away · the bridge fails · exit 75', async () => {
  await bridge.redis.kill();
  const { code, stdout } = await until(
    'a failing bridge',
    async () => {
      const ran = await runCli(['status', '--url', url], operator);
      return ran.stdout.includes('refuses run results') && ran;
    },
    15_000,
  );
  expect(stdout).toContain('redis: does not answer');
  expect(code).toBe(75);
  await bridge.redis.start();
}, 30_000);

describe('in words', () => {
  const tenant = {
    id: 'default',
    counts: { queued: 5000, delivering: 0, waiting: 0, delivered: 7, dead: 1 },
    oldestQueuedAgeSeconds: 300,
    budgetWritesPerSecond: 5,
    drainSeconds: 14_400,
    holds: [],
    graph: UNSEEN,
  };
  const answers = (changes: object = {}): BridgeStatus => ({
    kind: 'answers',
    readiness: { status: 'ok', checks: { durability: { ok: true, detail: 'always' } } },
    status: { tenants: [{ ...tenant, ...changes }], durability: 'always' },
  });

  test('throttled alone · still flows · and says it passes', () => {
    const throttled = answers({
      holds: [
        {
          reason: 'throttled',
          since: '2026-11-24T10:00:00.000Z',
          detail: 'Graph said not before X',
          remedy: 'Nothing.',
        },
      ],
    });
    expect(levelOf(throttled)).toBe('flows');
    expect(toScreen(throttled, 'http://b').join('\n')).toContain(
      'default is throttled since 2026-11-24 10:00:00 UTC: Graph said not before X. Nothing.',
    );
  });

  test('a backlog · is shown with its age and end · in units a person reads', () => {
    expect(toScreen(answers(), 'http://b').join('\n')).toMatch(/│ 5000 +│.*│ 5 min +│ 5\/s +│ 4 h +│/);
  });

  test('what Graph takes · is shown with since when · and what nobody knows is not', () => {
    expect(toScreen(answers(), 'http://b')).toContain('Graph of default: no create has succeeded yet');
    const at = '2026-11-24T10:00:00.000Z';
    const graph = { ...UNSEEN, createProven: true, createProvenAt: at, filterTaken: false, filterTakenAt: at };
    expect(toScreen(answers({ graph }), 'http://b')).toContain(
      'Graph of default: it takes creates (since 2026-11-24 10:00:00 UTC); ' +
        'it does not take $filter: lookups read whole listings (seen 2026-11-24 10:00:00 UTC)',
    );
  });

  test('a weakness · is named with its detail · and degrades', () => {
    const weak: BridgeStatus = {
      ...(answers() as Extract<BridgeStatus, { kind: 'answers' }>),
      readiness: { status: 'degraded', checks: { durability: { ok: false, detail: 'durability is everysec' } } },
    };
    expect(levelOf(weak)).toBe('degraded');
    expect(toScreen(weak, 'http://b')).toContain('durability: durability is everysec');
  });
});

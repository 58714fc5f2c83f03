// An address that leads to something else than the bridge: every command says so in one sentence, and does nothing more.
import type { RequestListener } from 'node:http';
import { describe, expect, test } from 'vitest';
import { runCli } from '../support/cli.ts';
import { GROUP_KEY } from '../support/device.ts';
import { startServer } from '../support/rubbish.ts';

const env = {
  OPERATOR_TOKEN: 'operators-of-the-test-of-other-addresses',
  DEVICE_GROUP_KEYS: GROUP_KEY,
  DEVICE_KEY: GROUP_KEY,
};
const ID = 'dAAAAAAAAAAAAAAAAAAAAAA';

const FEW: [string, string[]][] = [
  ['status', ['status']],
  ['replay', ['replay', '--all', '--yes']],
];
const SUBMITTING: [string, string[]][] = [
  ['report', ['report', '--device-id', 'PC-1']],
  ['simulate', ['simulate', '--devices', '2', '--rate', '100']],
];
const COMMANDS: [string, string[]][] = [
  ...FEW,
  ['status --json', ['status', '--json']],
  ['explain', ['explain', ID]],
  ['explain by run', ['explain', '--device', 'PC-1', '--run', 'run-1']],
  ['dead-letters', ['dead-letters']],
  ['dead-letters --json', ['dead-letters', '--json']],
  ['dead-letters --purge', ['dead-letters', '--purge', '--all', '--yes']],
  ['replay --dry-run', ['replay', ID, '--dry-run']],
  ['device list', ['device', 'list']],
  ['device revoke', ['device', 'revoke', 'PC-1']],
  ['device restore', ['device', 'restore', 'PC-1']],
  ...SUBMITTING,
];

const json =
  (status: number, body: unknown): RequestListener =>
  (_request, response) =>
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
const html =
  (status: number): RequestListener =>
  (_request, response) =>
    response.writeHead(status, { 'Content-Type': 'text/html' }).end('<!doctype html><title>Sign in</title>');

const ANSWERS: [string, RequestListener, [string, string[]][]][] = [
  ['a page', html(200), [...FEW, ...SUBMITTING]],
  ['{}', json(200, {}), COMMANDS],
  ['null', json(200, null), FEW],
  ['an array', json(200, []), FEW],
  ['nothing at all', (_request, response) => response.writeHead(204).end(), FEW],
  ['numbers as text', json(200, { matched: '3', replayed: '3', tenants: [{}], revoked: [{}], deadLetters: [{}] }), FEW],
  [
    'a redirect',
    (_request, response) => response.writeHead(302, { Location: 'https://login.example/' }).end(),
    [...FEW, ...SUBMITTING],
  ],
  ['a page that there is none', html(404), [...FEW, ...SUBMITTING]],
  ['JSON that there is nothing', json(404, { status: 404, code: '404', message: 'none' }), [...FEW, ...SUBMITTING]],
];

describe.each(ANSWERS)('%s', (_what, answer, commands) => {
  test.each(commands)('%s · a clear sentence · exit 69', async (_command, args) => {
    await using server = await startServer(answer);
    const { code, stdout, stderr } = await runCli([...args, '--url', server.url], { env });
    const said = stdout + stderr;
    expect(code).toBe(69);
    expect(said).not.toMatch(/undefined|TypeError|\n {4}at /);
    expect(said).toMatch(/bridge|answered \d{3} without a receipt|"not-a-bridge"/);
    expect(server.requests.length).toBeLessThanOrEqual(2);
  });
});

test('a redirect · is not followed · the token stays here', async () => {
  await using other = await startServer(json(200, {}));
  await using server = await startServer((_request, response) =>
    response.writeHead(307, { Location: `${other.url}/v1/status` }).end(),
  );
  const { stderr } = await runCli(['dead-letters', '--url', server.url], { env });
  expect(stderr).toContain(`redirects to ${other.url}`);
  expect(other.requests).toEqual([]);
});

test('a proxy without the bridge behind it · is later · exit 75', async () => {
  await using server = await startServer(html(502));
  for (const args of [['dead-letters'], ['status'], ['device', 'list']]) {
    expect(await runCli([...args, '--url', server.url], { env })).toMatchObject({ code: 75 });
  }
});

test('a proxy that limits its own rate · is later · exit 75', async () => {
  await using server = await startServer(html(429));
  for (const args of [
    ['dead-letters'],
    ['status'],
    ['report', '--device-id', 'PC-1'],
    ['simulate', '--devices', '1'],
  ]) {
    expect(await runCli([...args, '--url', server.url], { env })).toMatchObject({ code: 75 });
  }
});

test('a refusal with errors of other types · is refused · exit 65', async () => {
  const problem = { type: 'about:blank', title: 'Faults', status: 422, detail: 'two', code: 'invalid-run-result' };
  for (const errors of [{ a: 1 }, [null], 'none']) {
    await using server = await startServer(json(422, { ...problem, errors }));
    const { code, stderr } = await runCli(['report', '--device-id', 'PC-1', '--url', server.url], { env });
    expect({ code, stderr }).toEqual({ code: 65, stderr: 'refused: 422 invalid-run-result: two\n' });
  }
});

test('pages of dead letters without an end · are given up · exit 69', async () => {
  await using server = await startServer(json(200, { deadLetters: [], nextCursor: 'again' }));
  expect(await runCli(['dead-letters', '--url', server.url], { env })).toMatchObject({ code: 69 });
});

test('a newer or older bridge · may say more or less than is known here · and JSON passes it on', async () => {
  const counts = { queued: 0, delivering: 0, waiting: 0, delivered: 0, dead: 0 };
  const tenant = {
    id: 'default',
    counts,
    oldestQueuedAgeSeconds: 0,
    budgetWritesPerSecond: 5,
    drainSeconds: 0,
    holds: [],
  };
  await using server = await startServer((request, response) =>
    json(
      200,
      request.url === '/readyz'
        ? { status: 'ok', checks: {}, newer: true }
        : { tenants: [{ ...tenant, newer: 1 }], durability: 'always' },
    )(request, response),
  );
  const { code, stdout } = await runCli(['status', '--json', '--url', server.url], { env });
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ readiness: { newer: true }, status: { tenants: [{ newer: 1 }] } });
  expect(await runCli(['status', '--url', server.url], { env })).toMatchObject({ code: 0, stderr: '' });
});

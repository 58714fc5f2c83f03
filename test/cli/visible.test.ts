// What others wrote, on an operator's terminal: shown, never obeyed – in tables, in explanations, in JSON, in complaints.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Tenant } from '../../src/queue/tenant.ts';
import { holdAll } from '../support/hold.ts';
import { startTestBridge, type TestBridge } from '../support/bridge.ts';
import { runCli } from '../support/cli.ts';
import { conclusionOf, rejected } from '../support/outcomes.ts';
import { startServer } from '../support/rubbish.ts';
import { aRun } from '../support/tenant.ts';

const OPERATOR_TOKEN = 'operators-of-the-test-of-visible-text';
const operator = { env: { OPERATOR_TOKEN } };
/** Clears the screen, sets the title, turns text around, hides a part, and pretends to be another row. */
const EVIL = 'x\u001B[2J\u001B]0;owned\u0007\u009B31m\u202Etxt\u200B\uD800\n│ dfake │ all is well │\r\u2028end';
const OBEYED = /[^\n\P{Cc}]|[\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

let bridge: TestBridge;
let queue: Tenant;
let url: string;
let id: string;

beforeAll(async () => {
  bridge = await startTestBridge({ OPERATOR_TOKEN });
  ({ queue, url } = bridge);
  ({ id } = await conclusionOf({
    tenant: queue,
    run: aRun('evil'),
    outcome: rejected(404, EVIL),
    instants: { acceptedAt: 1, now: 2 },
  }));
  await holdAll(queue.budget, 'forbidden', EVIL);
});
afterAll(() => bridge.close());

const run = (...args: string[]) => runCli([...args, '--url', url], operator);

test.each([
  ['dead-letters', []],
  ['status', []],
  ['explain', ['ID']],
])('%s · shows the escapes · and obeys none', async (command, args) => {
  const { stdout } = await run(command, ...args.map(() => id));
  expect(stdout).not.toMatch(OBEYED);
  // A table wraps where it will.
  expect(stdout.replaceAll(/[\s│]/g, '')).toContain('x\\u001b[2J\\u001b]0;owned\\u0007\\u009b31m\\u202etxt\\u200b');
  expect(stdout).not.toMatch(/^│ dfake/m);
});

test.each([
  ['dead-letters', []],
  ['status', []],
  ['explain', ['ID']],
])('%s --json · is the same JSON · with nothing to obey in it', async (command, args) => {
  const { stdout } = await run(command, '--json', ...args.map(() => id));
  expect(stdout).not.toMatch(OBEYED);
  expect(JSON.stringify(JSON.parse(stdout))).toContain(JSON.stringify(EVIL.slice(0, 20)).slice(1, -1));
});

test('a refusal · of another server at that address · is one line that shows its escapes', async () => {
  await using server = await startServer((_request, response) =>
    response
      .writeHead(409, { 'Content-Type': 'application/problem+json' })
      .end(JSON.stringify({ title: EVIL, status: 409, detail: EVIL, code: EVIL })),
  );
  const refused = await runCli(['dead-letters', '--url', server.url], operator);
  expect(refused).toMatchObject({ code: 65, stdout: '' });
  expect(refused.stderr).toMatch(/^refused: 409 x\\u001b.*\n$/);
  expect(refused.stderr).not.toMatch(OBEYED);
});

test('a wrong option · is complained about · without obeying it', async () => {
  const { code, stderr } = await runCli(['status', '--\u001B[31m']);
  expect([code, stderr]).toEqual([64, expect.stringContaining('\\u001b[31m')]);
  expect(stderr).not.toMatch(OBEYED);
});

// Any body at all, rightly signed: the answer is the one the rules give, and what is stored is what they let through.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { toDeviceRunState } from '../../../src/domain/device-run-state.ts';
import type { RunResult } from '../../../src/domain/submission/run-result.ts';
import { isInstant, rule, toGraphRecord, type RunRecord } from '../../hostile/rules.ts';
import type { Answer } from '../../support/answer.ts';
import { startListeningApp, type ListeningApp } from '../../support/app.ts';
import { DEVICE_ID, runResult } from '../../support/device.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { submitTo } from '../../support/submit.ts';
import { fc } from '../../support/properties.ts';

let redis: TestRedis;
let app: ListeningApp;
beforeAll(async () => {
  redis = await startTestRedis('--appendfsync', 'no');
  app = await startListeningApp(redis);
});
afterAll(async () => {
  await app.close();
  await redis.close();
});

const RUNS = { numRuns: 250 };

const post = (body: string | Buffer) => submitTo(app.port, body);

/** As JSON says it: nothing undefined, and -0 is 0. */
const normalise = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

/** Sends a body and holds answer and store against the rules. */
async function expectRuled(body: string | Buffer): Promise<void> {
  const ruling = rule(Buffer.from(body), DEVICE_ID);
  const countBefore = await count();
  const answer = await post(body);
  if (ruling.kind === 'refused') {
    expectRefusal(answer, ruling);
    expect(await count()).toBe(countBefore);
  } else {
    await expectStored(answer, ruling.run);
  }
}

function expectRefusal(
  { status, headers, body }: Answer,
  ruling: { status: number; code: string; pointers: string[] },
) {
  expect({ status, code: (body as { code: string }).code }).toEqual({ status: ruling.status, code: ruling.code });
  expect(headers['content-type']).toBe('application/problem+json; charset=utf-8');
  const { errors = [], ...problem } = body as { errors?: { pointer: string }[] };
  expect(problem).toEqual({
    type: `urn:runstate-bridge:problem:${ruling.code}`,
    title: expect.any(String) as string,
    status: ruling.status,
    detail: expect.any(String) as string,
    code: ruling.code,
    requestId: headers['x-request-id'],
  });
  expect(new Set(errors.map(({ pointer }) => pointer))).toEqual(new Set(ruling.pointers));
}

async function expectStored({ status, body }: Answer, run: RunRecord): Promise<void> {
  const { deliveryId, runId } = body as { deliveryId: string; runId: string };
  expect([status, runId]).toEqual([202, run.runId]);
  const stored = (await app.tenant.deliveries.load(deliveryId))?.run;
  expect(normalise(stored)).toEqual(normalise(run));
  const { hardwareConfigurationId, ...state } = toDeviceRunState(stored as RunResult);
  expect(hardwareConfigurationId).toBe(run.hardwareConfigurationId);
  const { '@odata.type': type, ...record } = toGraphRecord(run);
  expect(type).toBe('#microsoft.graph.hardwareConfigurationDeviceState');
  expect(normalise(state)).toEqual(normalise(record));
}

const count = async () => Object.values(await app.tenant.deliveries.counts()).reduce((sum, one) => sum + one, 0);

let runs = 0;
/** A run nobody reported yet, so that it is accepted and no duplicate. */
const freshRun = () => runResult({ runId: `run-${runs++}` });

test('any JSON value · is answered as the rules say · and stored only where they let it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.json({ maxDepth: 6 }), (body) => expectRuled(body)),
    RUNS,
  );
});

test('any bytes · are answered as the rules say · and never stored as something else', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 2000 }), (bytes) => expectRuled(Buffer.from(bytes))),
    RUNS,
  );
});

const text = (most: number) => fc.string({ unit: 'binary', maxLength: most });
const halfCharacters = fc.string({
  unit: fc.constantFrom('a', '\ud800', '\udc00', '\u0000', '"', '\\'),
  maxLength: 20,
});
const instant = fc
  .record({
    at: fc.date({ min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-30T00:00:00Z'), noInvalidDate: true }),
    fraction: fc.stringMatching(/^\.[0-9]{1,9}$/),
    hasFraction: fc.boolean(),
    offset: fc.constantFrom('Z', 'z', '+00:00', '-14:00', '+13:59', '-23:59', '+24:00', '+14:30', '', '+1:00'),
  })
  .map(
    ({ at, fraction, hasFraction, offset }) =>
      `${at.toISOString().slice(0, 19)}${hasFraction ? fraction : ''}${offset}`,
  );
const int = fc.oneof(
  fc.integer(),
  fc.constantFrom(
    0,
    -0,
    -1,
    2 ** 31 - 1,
    2 ** 31,
    2 ** 32 - 1,
    2 ** 32,
    -(2 ** 31),
    -(2 ** 31) - 1,
    0.5,
    2 ** 53,
    1e300,
  ),
);

/** What a member may be: mostly right, sometimes nearly. */
const MEMBERS: Record<string, fc.Arbitrary<unknown>> = {
  deviceId: fc.oneof(
    { weight: 9, arbitrary: fc.constant(DEVICE_ID) },
    { weight: 1, arbitrary: fc.constantFrom('other', '', 7, null) },
  ),
  hardwareConfigurationId: fc.oneof(
    fc.uuid(),
    fc.uuid().map((id) => id.toUpperCase()),
    fc.uuid().map((id) => `${id} `),
  ),
  deviceName: fc.oneof(text(300), halfCharacters),
  osVersion: fc.oneof(text(80), fc.constant(null)),
  upn: fc.oneof(text(400), fc.constant(null)),
  policyVersion: int,
  completedAt: fc.oneof({ weight: 4, arbitrary: instant }, { weight: 1, arbitrary: text(30) }),
  state: fc.constantFrom('unknown', 'success', 'fail', 'scriptError', 'pending', 'notApplicable', 'Success', '', null),
  exitCode: fc.oneof(int, fc.constantFrom(3010, 1641, 2_147_942_405, null)),
  output: fc.oneof(text(2000), halfCharacters, fc.constant(null)),
  error: fc.oneof(text(200), fc.constantFrom(1, null)),
};

test('a run result with members changed and left out · is answered as the rules say · and reaches Graph as it was said', async () => {
  let accepted = 0;
  const names = Object.keys(MEMBERS);
  await fc.assert(
    fc.asyncProperty(
      fc.record(MEMBERS, { requiredKeys: [] }),
      fc.subarray(names, { maxLength: 1 }),
      fc.dictionary(fc.constantFrom('__proto__', 'constructor', 'toString', 'x'), fc.jsonValue({ maxDepth: 2 }), {
        maxKeys: 2,
      }),
      async (changes, leftOut, further) => {
        const run: Record<string, unknown> = { ...freshRun(), ...changes };
        for (const name of leftOut) if (name !== 'exitCode') Reflect.deleteProperty(run, name);
        const body = JSON.stringify(Object.fromEntries([...Object.entries(further), ...Object.entries(run)]));
        if (rule(Buffer.from(body), DEVICE_ID).kind === 'accepted') accepted += 1;
        await expectRuled(body);
      },
    ),
    { numRuns: 500 },
  );
  expect(accepted).toBeGreaterThan(5);
});

test('one member changed · of any name, to any value · is answered as the rules say', async () => {
  const anything = fc.oneof(fc.jsonValue({ maxDepth: 2 }), ...Object.values(MEMBERS));
  await fc.assert(
    fc.asyncProperty(fc.constantFrom('runId', ...Object.keys(MEMBERS)), anything, async (name, value) => {
      // Two runs must not come to have the same id by chance.
      const given = name === 'runId' && typeof value === 'string' ? `${value}${runs++}` : value;
      await expectRuled(JSON.stringify({ ...freshRun(), [name]: given }));
    }),
    { numRuns: 500 },
  );
});

test('the rules’ own calendar · knows real days · and nothing else', () => {
  const dates = ['2024-02-29', '2000-02-29', '0004-02-29', '2026-12-31'];
  const none = ['0000-01-01', '2023-02-29', '1900-02-29', '2026-04-31', '2026-00-10', '2026-13-01', '2026-01-00'];
  expect(dates.map((day) => isInstant(`${day}T00:00:00Z`))).toEqual(dates.map(() => true));
  expect(none.map((day) => isInstant(`${day}T00:00:00Z`))).toEqual(none.map(() => false));
});

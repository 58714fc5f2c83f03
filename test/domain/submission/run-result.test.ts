// Parsing what a device reports: every member's limits, every fault at once, nothing lost and nothing kept that is not ours.
import { describe, expect, test } from 'vitest';
import { parseRunResult, RUN_STATES, toText, type RunResult } from '../../../src/domain/submission/run-result.ts';
import { run } from '../sample.ts';

const faultsOf = (json: unknown) => {
  const parsed = parseRunResult(json);
  return parsed.ok ? [] : parsed.faults;
};
const pointersOf = (changes: object) => faultsOf({ ...run, ...changes }).map(({ pointer }) => pointer);

const NAME_CHARACTERS = 'ABCXYZabcxyz0189._-';
const ASTRAL = '😀';

const GOOD: [member: string, what: string, changes: object][] = [
  ['runId', 'one character', { runId: 'a' }],
  ['runId', '128 characters', { runId: 'r'.repeat(128) }],
  ['runId', 'every kind of character', { runId: NAME_CHARACTERS }],
  ['deviceId', '128 characters', { deviceId: 'd'.repeat(128) }],
  ['deviceName', 'one character', { deviceName: 'x' }],
  ['deviceName', '256 characters', { deviceName: 'x'.repeat(256) }],
  ['deviceName', '256 characters of two code units', { deviceName: ASTRAL.repeat(256) }],
  ['osVersion', 'nothing', { osVersion: '' }],
  ['osVersion', '64 characters', { osVersion: '1'.repeat(64) }],
  ['osVersion', '64 characters of two code units', { osVersion: ASTRAL.repeat(64) }],
  ['upn', '320 characters', { upn: 'u'.repeat(320) }],
  ['policyVersion', 'zero', { policyVersion: 0 }],
  ['policyVersion', 'the largest Int32', { policyVersion: 2_147_483_647 }],
  ['completedAt', 'no fraction', { completedAt: '2026-11-20T10:00:00Z' }],
  ['completedAt', 'seven digits', { completedAt: '2026-11-20T10:00:00.1234567-08:00' }],
  ['completedAt', 'a leap day', { completedAt: '2028-02-29T23:59:59+00:00' }],
  ['exitCode', 'the smallest Int32, without a state', { state: undefined, exitCode: -2_147_483_648 }],
  ['exitCode', 'the largest Int32', { exitCode: 2_147_483_647 }],
  ['exitCode', 'the largest UInt32', { exitCode: 4_294_967_295 }],
  ['exitCode', 'null beside a state', { exitCode: null }],
  ['state', 'null beside an exit code', { state: null, exitCode: 0 }],
  ...['osVersion', 'upn', 'output', 'error'].map((name): [string, string, object] => [name, 'null', { [name]: null }]),
  ['state', 'absent where there is an exit code', { state: undefined, exitCode: 0 }],
  ['output', 'nothing', { output: '' }],
  ['error', 'control characters', { error: '\u0000\u001b[31m\r\n' }],
  ...RUN_STATES.map((state): [string, string, object] => ['state', state, { state }]),
];

const BAD: [member: string, what: string, changes: object][] = [
  ['runId', 'nothing', { runId: '' }],
  ['runId', '129 characters', { runId: 'r'.repeat(129) }],
  ['runId', 'a space', { runId: 'run 1' }],
  ['runId', 'a line break at the end', { runId: 'run\n' }],
  ['runId', 'a letter beyond ASCII', { runId: 'rün' }],
  ['runId', 'a number', { runId: 1 }],
  ['deviceId', 'a slash', { deviceId: 'a/b' }],
  ['deviceId', '129 characters', { deviceId: 'd'.repeat(129) }],
  ['hardwareConfigurationId', 'no GUID', { hardwareConfigurationId: 'dell' }],
  ['hardwareConfigurationId', 'braces', { hardwareConfigurationId: `{${run.hardwareConfigurationId}}` }],
  ['hardwareConfigurationId', 'a letter too many', { hardwareConfigurationId: `${run.hardwareConfigurationId}a` }],
  ['deviceName', 'nothing', { deviceName: '' }],
  ['deviceName', '257 characters', { deviceName: 'x'.repeat(257) }],
  ['deviceName', '257 characters of two code units', { deviceName: ASTRAL.repeat(257) }],
  ['deviceName', 'null', { deviceName: null }],
  ['osVersion', '65 characters', { osVersion: '1'.repeat(65) }],
  ['osVersion', 'a number', { osVersion: 10 }],
  ['upn', '321 characters', { upn: 'u'.repeat(321) }],
  ['policyVersion', 'minus one', { policyVersion: -1 }],
  ['policyVersion', 'above Int32', { policyVersion: 2_147_483_648 }],
  ['policyVersion', 'a fraction', { policyVersion: 1.5 }],
  ['policyVersion', 'a negative fraction', { policyVersion: -1.5 }],
  ['policyVersion', 'beyond every integer', { policyVersion: 1e300 }],
  ['policyVersion', 'a numeral', { policyVersion: '4' }],
  ['completedAt', 'no offset', { completedAt: '2026-11-20T10:00:00' }],
  ['completedAt', 'eight digits', { completedAt: '2026-11-20T10:00:00.12345678Z' }],
  ['completedAt', 'a day that is not', { completedAt: '2026-02-29T10:00:00Z' }],
  ['completedAt', 'a number', { completedAt: 1_764_000_000 }],
  ['state', 'an older spelling', { state: 'error' }],
  ['state', 'another case', { state: 'Success' }],
  ['runId', 'null', { runId: null }],
  ['deviceId', 'null', { deviceId: null }],
  ['hardwareConfigurationId', 'null', { hardwareConfigurationId: null }],
  ['policyVersion', 'null', { policyVersion: null }],
  ['policyVersion', 'an unsigned number', { policyVersion: 2_147_483_648 }],
  ['completedAt', 'null', { completedAt: null }],
  ['completedAt', 'an offset of more than 14 hours', { completedAt: '2026-11-20T10:00:00+14:01' }],
  ['completedAt', 'an instant before year 1 in UTC', { completedAt: '0001-01-01T00:00:00+01:00' }],
  ['exitCode', 'below Int32', { exitCode: -2_147_483_649 }],
  ['exitCode', 'above UInt32', { exitCode: 4_294_967_296 }],
  ['exitCode', 'a numeral', { exitCode: '2147942405' }],
  ['exitCode', 'an HRESULT as text', { exitCode: '0x80070005' }],
  ['exitCode', 'a fraction', { exitCode: 0.1 }],
  ['exitCode', 'a fraction beyond Int32', { exitCode: 2_147_483_648.5 }],
  ['output', 'a list', { output: ['line'] }],
  ['error', 'a number', { error: 0 }],
];

describe('a run result · within the limits · is taken', () => {
  test.each(GOOD)('%s: %s', (_member, _what, changes) => {
    expect(faultsOf({ ...run, ...changes })).toEqual([]);
  });
});

describe('a run result · beyond a limit · is refused at that member, once', () => {
  test.each(BAD)('%s: %s', (member, _what, changes) => {
    expect(pointersOf(changes)).toEqual([`/${member}`]);
  });
});

test('a run result with everything wrong · names every fault · each where it is', () => {
  const faults = faultsOf({
    runId: '',
    deviceId: 'a b',
    hardwareConfigurationId: 'x',
    deviceName: '',
    osVersion: 1,
    upn: 2,
    policyVersion: -1,
    completedAt: 'yesterday',
    state: 'done',
    exitCode: 0.5,
    output: 1,
    error: 2,
  });
  expect(faults.map(({ pointer }) => pointer)).toEqual([
    '/runId',
    '/deviceId',
    '/hardwareConfigurationId',
    '/deviceName',
    '/osVersion',
    '/upn',
    '/policyVersion',
    '/completedAt',
    '/state',
    '/exitCode',
    '/output',
    '/error',
  ]);
  expect(faults.every(({ detail }) => detail.length > 5)).toBe(true);
});

test('an empty run result · names every required member · and that state or exit code is missing', () => {
  expect(faultsOf({})).toEqual([
    { pointer: '/runId', detail: 'is required' },
    { pointer: '/deviceId', detail: 'is required' },
    { pointer: '/hardwareConfigurationId', detail: 'is required' },
    { pointer: '/deviceName', detail: 'is required' },
    { pointer: '/policyVersion', detail: 'is required' },
    { pointer: '/completedAt', detail: 'is required' },
    { pointer: '', detail: 'one of state and exitCode is required' },
  ]);
});

test('a required member that is null · is as one that is missing · and so are state and exit code together', () => {
  expect(faultsOf({ ...run, deviceName: null, policyVersion: null, state: null, exitCode: null })).toEqual([
    { pointer: '/deviceName', detail: 'is required' },
    { pointer: '/policyVersion', detail: 'is required' },
    { pointer: '', detail: 'one of state and exitCode is required' },
  ]);
});

test('null for every optional member · is the same run result · as without them', () => {
  const nothing = { osVersion: null, upn: null, exitCode: null, output: null, error: null };
  const parsed = parseRunResult({ ...run, ...nothing });
  expect(parsed).toEqual({ ok: true, runResult: run });
  expect(toText((parsed as { runResult: RunResult }).runResult)).toBe(toText(run));
});

test.each([
  ['2147483647', 2_147_483_647],
  ['2147483648', -2_147_483_648],
  ['2147942405', -2_147_024_891],
  ['4294967295', -1],
  ['-2147483648', -2_147_483_648],
  ['-0', 0],
  ['1.0', 1],
  ['1e0', 1],
  ['2147942405.0', -2_147_024_891],
  ['2.147942405e9', -2_147_024_891],
])('the exit code %s in JSON · is read as the signed number · %i', (written, read) => {
  const json: unknown = JSON.parse(
    JSON.stringify({ ...run, exitCode: 0 }).replace('"exitCode":0', `"exitCode":${written}`),
  );
  expect(parseRunResult(json)).toEqual({ ok: true, runResult: { ...run, exitCode: read } });
});

test('neither state nor exit code · is a fault of the whole · beside the others', () => {
  expect(faultsOf({ ...run, state: undefined, policyVersion: -1 })).toEqual([
    { pointer: '/policyVersion', detail: 'must be a whole number from 0 to 2147483647' },
    { pointer: '', detail: 'one of state and exitCode is required' },
  ]);
});

test.each([[null], [[]], ['text'], [42], [true], [undefined]])(
  'JSON that is no object · %j · is one fault of the whole',
  (json) => {
    expect(faultsOf(json).map(({ pointer }) => pointer)).toEqual(['']);
  },
);

test('a fault · says what is wanted · and never repeats what was sent', () => {
  const sent = 'Sommer-2024!';
  const faults = faultsOf({ ...run, runId: `${sent} `, upn: sent.repeat(40), state: sent, completedAt: sent });
  expect(faults).toHaveLength(4);
  expect(JSON.stringify(faults)).not.toContain(sent);
});

test('unknown members · are left out · wherever they come from', () => {
  const json: unknown = JSON.parse(`{"__proto__":{"state":"fail"},"colour":"red",${JSON.stringify(run).slice(1)}`);
  expect(parseRunResult(json)).toEqual({ ok: true, runResult: run });
});

test('a GUID in capitals · is taken · in lower case', () => {
  const parsed = parseRunResult({ ...run, hardwareConfigurationId: run.hardwareConfigurationId.toUpperCase() });
  expect(parsed).toEqual({ ok: true, runResult: run });
});

test('output and error · are kept whole · but for what looks like a password', () => {
  const long = 'Zeile – ✓\r\n'.repeat(20_000);
  const parsed = parseRunResult({ ...run, output: `${long}cctk --setuppwd=Geheim1`, error: '  spaces stay  ' });
  expect(parsed).toEqual({
    ok: true,
    runResult: { ...run, output: `${long}cctk --setuppwd=[masked]`, error: '  spaces stay  ' },
  });
});

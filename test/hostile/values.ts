// Run results: good ones with awkward contents, and every member missing or something else.
import { pick, wholeNumber } from '../../src/sandbox/random.ts';
import {
  awkwardText,
  chance,
  refusal,
  requestIdOf,
  single,
  stored,
  submission,
  type Case,
  type Dice,
  type Expected,
} from './case.ts';
import { rule, type RunRecord } from './rules.ts';

const GUID = '0B7F0e7a-3f5e-4c8e-9a53-3a1f5d2c7e0';

/** A run result nobody could refuse, of a run and a device of this case alone. */
export function goodRun({ random, id }: Dice): RunRecord {
  return {
    runId: `run-${id}`,
    deviceId: `dev-${id}`,
    hardwareConfigurationId: `${GUID}${wholeNumber(random, 0, 9)}`,
    deviceName: `PC-${awkwardText(random, 12)}`,
    policyVersion: pick(random, [0, 1, 2_147_483_647]),
    completedAt: pick(random, [
      '2026-11-20T10:00:00.1234567+01:00',
      '2026-11-20T10:00:00-00:00',
      '0001-01-01T00:00:00Z',
      '0001-01-01T14:00:00+14:00',
      '0004-02-29T00:00:00-14:00',
      '9999-12-31T23:59:59.9999999+14:00',
      '9999-12-31T09:59:59.9999999-14:00',
    ]),
    ...(chance(random, 0.5) && { state: pick(random, ['unknown', 'success', 'notApplicable']) }),
    exitCode: pick(random, [0, -0, 3010, -2_147_483_648, 2_147_483_647]),
    ...(chance(random, 0.5) && { upn: pick(random, ['', awkwardText(random, 40), 'a@b.example']) }),
    ...(chance(random, 0.5) && { osVersion: awkwardText(random, 10) }),
    ...(chance(random, 0.6) && { output: awkwardText(random, chance(random, 0.02) ? 30_000 : 60) }),
    ...(chance(random, 0.2) && { error: awkwardText(random, 20) }),
  };
}

/** What the rules make of a body, as the answer it must get. */
function ruled(body: Buffer | string, signer: string): Expected {
  const ruling = rule(Buffer.from(body), signer);
  return ruling.kind === 'accepted' ? stored(ruling.run) : refusal(ruling.status, ruling.code);
}

type SignedCase = { family: string; name: string; body: Buffer | string; dice: Dice; signer: string };

/** A body, rightly signed. */
export function signed({ family, name, body, dice, signer }: SignedCase): Case {
  const requestId = requestIdOf(dice.id)[1];
  const bytes = submission(body, { ...dice, deviceId: signer });
  return single({ family, name, bytes, expected: { ...ruled(body, signer), requestId } });
}

export function goodBody(dice: Dice): Case {
  const run = goodRun(dice);
  const indent = pick(dice.random, [0, 2, '\t', '\r\n']);
  return signed({ family: 'body', name: 'good', body: JSON.stringify(run, null, indent), dice, signer: run.deviceId });
}

const SAYING_NOTHING = ['osVersion', 'upn', 'state', 'output', 'error'] as const;

/** The same run as serializers of other languages write it: null for what is not said, numbers unsigned or with a point. */
export function writtenOtherwise(dice: Dice): Case {
  const { random } = dice;
  const run = goodRun(dice);
  const nulls = Object.fromEntries(SAYING_NOTHING.filter(() => chance(random, 0.5)).map((name) => [name, null]));
  const exitCode = pick(random, [
    '2147483648',
    '2147942405',
    '4294967295',
    '2147483647.0',
    '3.01e3',
    '0E0',
    '-2147483648',
    '4294967296',
    '-2147483649',
    '2147483648.5',
    '"2147942405"',
    '1e400',
    'null',
  ]);
  const text = JSON.stringify({ ...run, ...nulls, exitCode: 0 }).replace('"exitCode":0', `"exitCode":${exitCode}`);
  return signed({ family: 'body', name: 'written otherwise', body: text, dice, signer: run.deviceId });
}

const YEARS = ['0000', '0001', '0002', '1969', '2026', '9998', '9999'];
const DAYS = ['01-01', '12-31', '02-29', '06-30'];
const TIMES = [
  '00:00:00',
  '00:00:00.0000001',
  '13:59:59.9999999',
  '14:00:00',
  '23:59:59.9999999',
  '23:59:60',
  '24:00:00',
];
const OFFSETS = [
  'Z',
  'z',
  '+00:00',
  '-00:00',
  '+00:01',
  '-00:01',
  '+13:59',
  '-14:00',
  '+14:00',
  '+14:01',
  '-14:01',
  '+23:59',
  '-24:00',
];

/** Instants about the edges of what .NET can hold. */
export function oddInstants(dice: Dice): Case {
  const { random } = dice;
  const run = goodRun(dice);
  const day = `${pick(random, YEARS as [string])}-${pick(random, DAYS as [string])}`;
  const separator = chance(random, 0.05) ? 't' : 'T';
  const completedAt = `${day}${separator}${pick(random, TIMES as [string])}${pick(random, OFFSETS as [string])}`;
  return signed({
    family: 'body',
    name: 'odd instants',
    body: JSON.stringify({ ...run, completedAt }),
    dice,
    signer: run.deviceId,
  });
}

const WRONG_VALUES: readonly unknown[] = [
  null,
  true,
  '',
  0,
  -1,
  1.5,
  '1',
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 53,
  -(2 ** 31) - 1,
  [],
  {},
  ['x'],
  { toString: 'x' },
  'x'.repeat(129),
  'x'.repeat(400),
  '../../etc/passwd',
  'a\r\nb: c',
  'a\u0000b',
  'ünicode',
  'run id',
  '2026-02-30T00:00:00Z',
  '2026-11-20T10:00:60Z',
  '2026-11-20t10:00:00z',
  '2026-11-20T10:00:00.12345678Z',
  '2026-11-20T10:00:00',
  '2026-11-20T10:00:00+14:01',
  '0000-12-31T23:59:59Z',
  '0001-01-01T00:00:00+00:01',
  'Success',
  '00000000-0000-0000-0000-00000000000g',
  '{0b7f0e7a-3f5e-4c8e-9a53-3a1f5d2c7e01}',
  "0b7f0e7a-3f5e-4c8e-9a53-3a1f5d2c7e01'/x",
];
const MEMBERS = [
  'runId',
  'deviceId',
  'hardwareConfigurationId',
  'deviceName',
  'osVersion',
  'upn',
  'policyVersion',
  'completedAt',
  'state',
  'exitCode',
  'output',
  'error',
] as const;

/** One to three members are missing or something else. */
export function wrongMembers(dice: Dice): Case {
  const run = goodRun(dice);
  return signed({
    family: 'body',
    name: 'wrong members',
    body: JSON.stringify(spoil(run, dice)),
    dice,
    signer: run.deviceId,
  });
}

export function spoil(run: RunRecord, { random }: Dice): Record<string, unknown> {
  const changed: Record<string, unknown> = { ...run };
  for (let times = wholeNumber(random, 1, 3); times > 0; times -= 1) {
    const member = pick(random, MEMBERS);
    if (chance(random, 0.2)) changed[member] = undefined;
    else changed[member] = WRONG_VALUES[wholeNumber(random, 0, WRONG_VALUES.length - 1)];
  }
  return changed;
}

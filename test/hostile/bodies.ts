// Bodies rightly signed and made to hurt: members spliced in, other documents, bytes that are no text, flipped bytes.
import { pick, wholeNumber, type Random } from '../../src/sandbox/random.ts';
import { bytesOf, chance, type Case, type Dice } from './case.ts';
import { type RunRecord } from './rules.ts';
import { signed, goodRun } from './values.ts';

const SPLICES: readonly ((dice: Dice, run: RunRecord) => string)[] = [
  () => '"__proto__":{"state":"success","deviceName":"x","isAdmin":true}',
  () => '"constructor":{"prototype":{"deviceName":"x"}}',
  () => '"prototype":null,"hasOwnProperty":1,"toString":"x","valueOf":0',
  () => '"__proto__":null,"__defineGetter__":"x","toJSON":"x","then":"x"',
  ({ random }) => `"exitCode":0,"exitCode":${pick(random, ['1', '"1"', 'null'])}`,
  (_dice, { deviceId }) => `"deviceId":"other","deviceId":${JSON.stringify(deviceId)}`,
  (_dice, { deviceId }) => `"deviceId":${JSON.stringify(deviceId)},"deviceId":"other"`,
  ({ id }) => `"runId":"smuggled-${id}","runId":"run-${id}"`,
  ({ random }) => `"policyVersion":${pick(random, ['1e400', '-1e400', '1e0', '4.0', '-0', '1E1', '0.1e1', '1e-400'])}`,
  ({ random }) =>
    `"exitCode":${pick(random, ['9'.repeat(400), `-${'9'.repeat(30)}`, '0x10', '01', '+1', '1_000', 'NaN'])}`,
  ({ random }) =>
    `"output":${pick(random, ['"\\ud800"', '"\\udc00\\ud800"', '"\\u0000\\u0000"', '"\\x"', '"\u0001"', "'x'"])}`,
  ({ random }) => `"deviceName":${pick(random, ['"\\ud83d"', '"\\u0000"', '"\\r\\nX: y"', '"𝕏"', '"\\"\\\\"'])}`,
  ({ random }) => `"x":${'['.repeat(wholeNumber(random, 25, 40))}1${']'.repeat(30)}`,
  ({ random }) => {
    const deep = pick(random, [30, 31, 32, 33, 1000, 60_000]);
    return `"x":${'['.repeat(deep)}${']'.repeat(deep)}`;
  },
  ({ random }) => {
    const deep = pick(random, [31, 32, 5000]);
    return `"x":${'{"a":'.repeat(deep)}0${'}'.repeat(deep)}`;
  },
  ({ random }) => `"x":[${Array.from({ length: pick(random, [900, 990, 1000, 1001, 60_000]) }, () => 0).join()}]`,
  ({ random }) => Array.from({ length: pick(random, [900, 1100]) }, (_, at) => `"m${at}":0`).join(),
  () => `"${'k'.repeat(50_000)}":0`,
  ({ random }) => `"output":"${'x'.repeat(pick(random, [200_000, 262_144]))}"`,
  () => '"x":1,',
  () => '"x":/**/1',
];

/** A good run result with something spliced in before or behind its own members. */
export function splicedMembers(dice: Dice): Case {
  const run = goodRun(dice);
  return signed({ family: 'body', name: 'spliced', body: spliceInto(run, dice), dice, signer: run.deviceId });
}

export function spliceInto(run: RunRecord, dice: Dice): string {
  const own = JSON.stringify(run).slice(1, -1);
  const splice = pick(dice.random, SPLICES as [(typeof SPLICES)[number]])(dice, run);
  return chance(dice.random, 0.5) ? `{${splice},${own}}` : `{${own},${splice}}`;
}

const WHOLES: readonly ((random: Random, good: string) => Buffer | string)[] = [
  () => '',
  () => 'null',
  () => '[]',
  () => '"text"',
  () => '-0',
  () => '{}',
  () => '{"__proto__":{}}',
  (_random, good) => `[${good}]`,
  (_random, good) => `${good}${good}`,
  (_random, good) => `\ufeff${good}`,
  (_random, good) => `\ufeff\ufeff${good}`,
  (_random, good) => `${good}\u0000`,
  (_random, good) => ` \t\r\n${good}\n`,
  (_random, good) => `\u00a0${good}`,
  (_random, good) => Buffer.from(good, 'utf16le'),
  (_random, good) => Buffer.concat([Buffer.from(good.slice(0, -1)), Buffer.from(',"x":"\\u00'), Buffer.from('"}')]),
  (_random, good) => Buffer.from(`${good.slice(0, -1)},"x":"é"}`, 'latin1'),
  (_random, good) =>
    Buffer.concat([Buffer.from(good.slice(0, -2)), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"}')]),
  (_random, good) => Buffer.concat([Buffer.from(good.slice(0, -2)), Buffer.from([0xc0, 0x80]), Buffer.from('"}')]),
  (_random, good) => good.slice(0, good.length / 2),
  (random) => bytesOf(random, wholeNumber(random, 1, 300)),
  (random) => '['.repeat(pick(random, [100, 10_000, 262_144])),
  (random) => '{"a":'.repeat(pick(random, [100, 50_000])),
  (random, good) => good + ' '.repeat(pick(random, [200_000, 262_145])),
  () => '9'.repeat(200_000),
  () => `"${'\\u0000'.repeat(40_000)}"`,
];

/** The whole body is something else. */
export function otherBody(dice: Dice): Case {
  const run = goodRun(dice);
  const body = pick(dice.random, WHOLES as [(typeof WHOLES)[number]])(dice.random, JSON.stringify(run));
  return signed({ family: 'body', name: 'something else', body, dice, signer: run.deviceId });
}

/** A few bytes of a good body are others. */
export function flippedBytes(dice: Dice): Case {
  const { random } = dice;
  const run = goodRun(dice);
  const body = Buffer.from(JSON.stringify(run));
  for (let times = wholeNumber(random, 1, 4); times > 0; times -= 1) {
    body[wholeNumber(random, 0, body.length - 1)] = chance(random, 0.7)
      ? pick(random, [0x22, 0x2c, 0x30, 0x39, 0x5c, 0x7b, 0x7d, 0x41])
      : wholeNumber(random, 0, 255);
  }
  return signed({ family: 'body', name: 'flipped bytes', body, dice, signer: run.deviceId });
}

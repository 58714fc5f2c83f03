// Signatures that are nearly right: other clocks, digests, algorithms and parts, and one device speaking for another.
import { createHash } from 'node:crypto';
import { pick, wholeNumber } from '../../src/sandbox/random.ts';
import { digestOf, GROUP_KEY, sign, type Signing } from '../support/device.ts';
import {
  chance,
  HOST,
  JSON_TYPE,
  lengthOf,
  refusal,
  requestIdOf,
  signatureFields,
  single,
  stored,
  toBytes,
  type Case,
  type Dice,
  type HeaderField,
} from './case.ts';
import { partsOf, type Parts } from './tricks.ts';

export const UNKNOWN = refusal(401, 'unauthenticated');
const COVERED = '"@method" "@path" "content-digest"';

const send = (p: Parts, fields: readonly HeaderField[]) =>
  toBytes({ headers: [HOST, JSON_TYPE, requestIdOf(p.dice.id), lengthOf(p.body), ...fields], body: p.body });
export const signedAs = (p: Parts, signing: Partial<Signing>) =>
  send(p, signatureFields({ body: p.body, deviceId: p.run.deviceId, createdS: p.dice.nowS, ...signing }));

/** What may be covered besides, and what it is for these requests. */
const FURTHER: Record<string, string> = {
  '"@authority"': HOST[1],
  '"@scheme"': 'http',
  '"@target-uri"': `http://${HOST[1]}/v1/run-results`,
  '"@request-target"': '/v1/run-results',
  '"@query"': '?',
  '"host"': HOST[1],
  '"content-type"': JSON_TYPE[1],
  '"content-type";bs': `:${btoa(JSON_TYPE[1])}:`,
  '"content-type";sf': JSON_TYPE[1],
};

/** Consistently signed, but not as asked for. */
const SIGNINGS: readonly ((p: Parts) => Partial<Signing>)[] = [
  ({ dice }) => ({ createdS: dice.nowS + pick(dice.random, [-400, 400, -1e9, 1e9, 2 ** 53, -(2 ** 31)]) }),
  ({ dice, run }) => ({
    parameters: `;created=${pick(dice.random, [`${dice.nowS}.5`, `0${dice.nowS}`, `+${dice.nowS}`, `"${dice.nowS}"`, '?1', '999999999999999', '-0', `${dice.nowS}000`, ''] as const)};keyid="${run.deviceId}";alg="hmac-sha256"`,
  }),
  ({ dice, run }) => ({ parameters: `;keyid="${run.deviceId}";alg="hmac-sha256";expires=${dice.nowS}` }),
  ({ dice, run }) => ({
    parameters: `;created=${dice.nowS};keyid="${run.deviceId}";alg="${pick(dice.random, ['none', 'hmac-sha1', 'HMAC-SHA256', 'rsa-v1_5-sha256', ''] as const)}"`,
  }),
  ({ dice, run }) => ({ parameters: `;created=${dice.nowS};keyid="${run.deviceId}"` }),
  ({ dice }) => ({
    deviceId: pick(dice.random, ['', '*', 'a b', '../x', 'x'.repeat(129), "x' or 1", 'é', 'a"b'] as const),
  }),
  ({ dice }) => ({
    components: pick(dice.random, [
      '',
      '"@method"',
      '"@path" "content-digest"',
      `${COVERED} "@method"`,
      `${COVERED} "x-none"`,
      `${COVERED} "@status"`,
      `${COVERED} "constructor"`,
      `${COVERED} "content-type";unheard`,
      `${COVERED} "content-type";tr`,
      `${COVERED} "@query-param";name="none"`,
      `${COVERED} content-type`,
      '"@method" "@path" "content-digest";req',
      '"@METHOD" "@path" "content-digest"',
      '"@method" "@target-uri" "content-digest"',
    ] as const),
  }),
  ({ dice }) => ({ label: pick(dice.random, ['Device', '1sig', 'a b', ''] as const) }),
  ({ dice }) => ({
    components: `${COVERED} ${pick(dice.random, ['"@authority"', '"@scheme"', '"@target-uri"', '"content-type"', '"@query"'] as const)}`,
    values: Object.fromEntries(Object.keys(FURTHER).map((component) => [component, 'https://elsewhere.example'])),
  }),
  () => ({ path: '/v1/status' }),
  () => ({ method: 'GET' }),
  () => ({ method: 'post' }),
  () => ({ groupKey: 'b3RoZXIga2V5cyBhcmUgbm90IGdvb2Q=' }),
  ({ body }) => ({ digest: digestOf(`${body} `) }),
  ({ body, dice }) => ({
    digest: `${pick(dice.random, ['sha-512', 'md5', 'SHA-256', 'unixsum'] as const)}=:${createHash('sha256').update(body).digest('base64')}:`,
  }),
  ({ dice }) => ({
    digest: pick(dice.random, [
      '',
      'sha-256',
      'sha-256=::',
      'sha-256=:AAAA',
      'sha-256="x"',
      `sha-256=:${'A'.repeat(5000)}:`,
      '(((((',
      ','.repeat(200),
    ] as const),
  }),
];

const HEADER_TRICKS: readonly ((p: Parts, fields: HeaderField[]) => HeaderField[])[] = [
  (_p, fields) => fields.filter(([name]) => name !== 'Signature'),
  (_p, fields) => fields.filter(([name]) => name !== 'Signature-Input'),
  (_p, fields) => fields.filter(([name]) => name !== 'Content-Digest'),
  () => [],
  (_p, fields) => [...fields, ...fields],
  (_p, fields) => [...fields, ...fields.filter(([name]) => name === 'Content-Digest')],
  (_p, fields) => fields.map(([name, value]) => [name, value.replace('keyid="', 'keyid="\\')]),
  (_p, fields) => [...fields, ['Signature', 'device=:AAAA:']],
  (_p, fields) =>
    fields.map(([name, value]) => [
      name,
      name === 'Signature' ? value.replace(/.:$/, (end) => (end === 'A:' ? 'B:' : 'A:')) : value,
    ]),
  (_p, fields) => fields.map(([name, value]) => [name, name === 'Signature' ? value.slice(0, -6) : value]),
  (_p, fields) => fields.map(([name, value]) => [name, `${value}, x=1`]),
  (_p, fields) => fields.map(([name, value]) => [name, value.repeat(20)]),
  ({ dice }, fields) =>
    fields.map(([name]) => [
      name,
      pick(dice.random, [
        '',
        '=',
        'device=',
        'device=(',
        'device=:',
        '__proto__=:AAAA:',
        'device=?0',
        'device="',
        '\u00ff',
        `device=${'('.repeat(3000)}`,
        // Three of these are still no head that is too long, which would be another refusal.
        `device=(${'"a" '.repeat(1200)})`,
      ] as const),
    ]),
];

function otherSignature(dice: Dice): Case {
  const parts = partsOf(dice);
  const bytes = signedAs(parts, pick(dice.random, SIGNINGS as [(typeof SIGNINGS)[number]])(parts));
  return single({ family: 'signature', name: 'signed otherwise', bytes, expected: { ...UNKNOWN, requestId: dice.id } });
}

function brokenHeaders(dice: Dice): Case {
  const parts = partsOf(dice);
  const fields = signatureFields({ body: parts.body, deviceId: parts.run.deviceId, createdS: dice.nowS });
  const bytes = send(parts, pick(dice.random, HEADER_TRICKS as [(typeof HEADER_TRICKS)[number]])(parts, fields));
  return single({ family: 'signature', name: 'broken headers', bytes, expected: UNKNOWN });
}

/** Still within what a clock may be off, and still good under either key. */
function oddButGood(dice: Dice): Case {
  const parts = partsOf(dice);
  const { run } = parts;
  const createdS = dice.nowS + pick(dice.random, [-280, 280, 0]);
  const signings: [Partial<Signing>, ...Partial<Signing>[]] = [
    { createdS },
    { components: '"content-digest" "@path" "@method"' },
    { parameters: `;alg="hmac-sha256";keyid="${run.deviceId}";created=${dice.nowS}` },
    { groupKey: GROUP_KEY, digest: `md5=:AAAA:, ${digestOf(parts.body)}` },
    { digest: `sha-256=:AAAA:, ${digestOf(parts.body)}` },
    { digest: `sha-512=:AAAA:, ${digestOf(parts.body)}, unixsum=1` },
    { digest: `${digestOf(parts.body)}, sha-512=:${createHash('sha512').update(parts.body).digest('base64')}:` },
  ];
  const signing = pick(dice.random, signings);
  return single({
    family: 'signature',
    name: 'odd but good',
    bytes: signedAs(parts, signing),
    expected: { ...stored(run), requestId: dice.id },
  });
}

const LABELS = ['sig1', 'device', 'device2', '*device', 'a.b_c-d*'] as const;

/** As libraries sign: labels and orders of their own, more covered, further parameters. */
function signedByLibrary(dice: Dice): Case {
  const parts = partsOf(dice);
  const { random, nowS } = dice;
  const further = Object.keys(FURTHER).filter(() => chance(random, 0.3));
  const components = [...COVERED.split(' '), ...further].sort(() => random() - 0.5).join(' ');
  const created = [`;created=${nowS}`, `;keyid="${parts.run.deviceId}"`, ';alg="hmac-sha256"'];
  const more = [';nonce="a\\"b"', `;expires=${nowS + 300}`, ';tag="t"', ';x=1.5'].filter(() => chance(random, 0.3));
  const parameters = [...created, ...more].sort(() => random() - 0.5).join('');
  const bytes = signedAs(parts, { label: pick(random, LABELS), components, parameters, values: FURTHER });
  return single({
    family: 'signature',
    name: 'by a library',
    bytes,
    expected: { ...stored(parts.run), requestId: dice.id },
  });
}

/** Of others: proxies, or nobody; their keys’ ids are no device ids, or they are no signatures at all. */
const FOREIGN: readonly ((nowS: number) => readonly [input: string, signature: string])[] = [
  (nowS) => [`("@authority");created=${nowS};keyid="https://proxy.example/key";alg="ed25519"`, ':AAAA:'],
  (nowS) => [`("x-none";sf "@status");created=${nowS};keyid="a/b"`, ':AAAA:'],
  () => ['();keyid=token', ':AAAA:'],
  () => ['()', '"text"'],
  () => ['?1', '?0'],
  () => ['"text";keyid="dev"', ':AAAA:'],
];

/** Several signatures on one request, as one field or several: the first whose key’s id is a device id counts. */
function manySignatures(dice: Dice): Case {
  const parts = partsOf(dice);
  const { random, nowS } = dice;
  const { deviceId } = parts.run;
  const isSpoilt = chance(random, 0.25);
  const others = wholeNumber(random, 1, isSpoilt ? 3 : 8);
  const all = Array.from({ length: others }, (_, at) => {
    const [input, signature] = pick(random, FOREIGN as [(typeof FOREIGN)[number]])(nowS);
    return { input: `o${at}=${input}`, signature: `o${at}=${signature}` };
  });
  const own = signatureFields({ body: parts.body, deviceId, createdS: nowS, label: pick(random, LABELS) });
  const [digest, input, signature] = ['Content-Digest', 'Signature-Input', 'Signature'].map(
    (wanted) => own.find(([name]) => name === wanted)?.[1] ?? '',
  ) as [string, string, string];
  all.splice(wholeNumber(random, 0, all.length), 0, { input, signature });
  // Another device’s, or its own that is wrong, before the good one.
  if (isSpoilt) all.unshift({ input: `first=${input.slice(input.indexOf('=') + 1)}`, signature: 'first=:AAAA:' });
  const join = (values: string[], name: string): HeaderField[] =>
    chance(random, 0.5) ? [[name, values.join(', ')]] : values.map((value): HeaderField => [name, value]);
  const fields = [
    ...join(
      all.map((one) => one.input),
      'Signature-Input',
    ),
    ...join(
      all.map((one) => one.signature),
      'Signature',
    ),
    ['Content-Digest', digest] as const,
  ];
  const isGood = !isSpoilt && all.length <= 8;
  return single({
    family: 'signature',
    name: 'one of several',
    bytes: send(parts, fields),
    expected: isGood ? stored(parts.run) : UNKNOWN,
  });
}

/** Written otherwise than it is signed, and the same by RFC 8941. */
const SPELLINGS: readonly ((value: string) => string)[] = [
  (value) => `  ${value}\t `,
  (value) => value.replaceAll(';', ';  '),
  (value) => value.replace('(', '(  ').replace(')', '   )').replace(' "@path"', '     "@path"'),
];

function spelledOtherwise(dice: Dice): Case {
  const parts = partsOf(dice);
  const spell = pick(dice.random, SPELLINGS as [(typeof SPELLINGS)[number]]);
  const fields = signatureFields({ body: parts.body, deviceId: parts.run.deviceId, createdS: dice.nowS });
  const spelled = fields.map(([name, value]): HeaderField => [name, name === 'Signature-Input' ? spell(value) : value]);
  const expected = { ...stored(parts.run), requestId: dice.id };
  return single({ family: 'signature', name: 'spelled otherwise', bytes: send(parts, spelled), expected });
}

function otherDevice(dice: Dice): Case {
  const parts = partsOf(dice);
  const bytes = signedAs(parts, { deviceId: `other-${dice.id}` });
  return single({ family: 'signature', name: 'for another device', bytes, expected: refusal(403, 'wrong-device') });
}

/** One body under the signature of another. */
function swapped(dice: Dice): Case {
  const parts = partsOf(dice);
  const signature = sign({ body: `${parts.body} `, deviceId: parts.run.deviceId, createdS: dice.nowS });
  return single({
    family: 'signature',
    name: 'of another body',
    bytes: send(parts, Object.entries(signature)),
    expected: UNKNOWN,
  });
}

const KINDS = [
  otherSignature,
  otherSignature,
  brokenHeaders,
  oddButGood,
  signedByLibrary,
  manySignatures,
  spelledOtherwise,
  otherDevice,
  swapped,
] as const;

export const signatures = (dice: Dice): Case => pick(dice.random, KINDS)(dice);

// Requests signed with certificates: good ones in every algorithm, and certificates, fields and signatures that are nearly right.
import { generateKeyPairSync } from 'node:crypto';
import { pick, wholeNumber } from '../../src/sandbox/random.ts';
import { signWithCertificate, toField, type CertificateSigning } from '../support/certificate-signing.ts';
import { createAuthority, USAGES, type Made } from '../support/certificates.ts';
import {
  bytesOf,
  HOST,
  JSON_TYPE,
  lengthOf,
  refusal,
  requestIdOf,
  single,
  stored,
  toBytes,
  type Case,
  type Dice,
  type Expected,
  type HeaderField,
} from './case.ts';
import type { RunRecord } from './rules.ts';
import { UNKNOWN } from './signatures.ts';
import { goodRun } from './values.ts';

const DEVICE_ID = 'CERTIFIED-0001';
const SUBJECT = `CN=${DEVICE_ID}`;
const DAY_MS = 86_400_000;

// The same for all cases of a process: only these algorithms sign the same bytes twice alike.
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ed25519 = generateKeyPairSync('ed25519');
const root = await createAuthority({ subject: 'CN=Hostile Root' });
const issuing = await root.below({ subject: 'CN=Hostile Issuing' });
const stranger = await createAuthority({ subject: 'CN=Hostile Root' });

/** What the API takes for its devices' authority. */
export const AUTHORITY_PEM = root.pem;

const GOOD: [alg: string, certificate: Made, chain: Made[]][] = [
  ['ed25519', await root.issue({ subject: SUBJECT, keys: ed25519 }), []],
  ['rsa-v1_5-sha256', await root.issue({ subject: SUBJECT, keys: rsa }), []],
  ['ed25519', await issuing.issue({ subject: SUBJECT, keys: ed25519 }), [issuing]],
];
const own = (GOOD[0] as (typeof GOOD)[number])[1];
const ed = { subject: SUBJECT, keys: ed25519 };
const yesterday = new Date(Date.now() - DAY_MS);
const BAD: [Made, ...Made[]] = [
  await stranger.issue(ed),
  await issuing.issue(ed),
  await root.issue({ ...ed, usages: USAGES.encrypt }),
  await root.issue({ ...ed, purposes: ['1.3.6.1.5.5.7.3.1'] }),
  await root.issue({ ...ed, notBefore: new Date(0), notAfter: yesterday }),
  await root.issue({ ...ed, subject: 'CN=CERTIFIED-0002' }),
  await root.issue({ ...ed, subject: `${SUBJECT}, CN=CERTIFIED-0002` }),
  await root.issue({ ...ed, subject: 'O=Contoso' }),
  await root.issue({ subject: SUBJECT, keys: generateKeyPairSync('rsa', { modulusLength: 1024 }) }),
  await root.issue({ subject: SUBJECT, keys: generateKeyPairSync('ec', { namedCurve: 'secp256k1' }) }),
  await root.below({ ...ed, usages: USAGES.all }),
];

type Signed = { run: RunRecord; body: string; nowS: number };

function runOf(dice: Dice): Signed {
  const run = { ...goodRun(dice), deviceId: DEVICE_ID };
  const body = JSON.stringify(run);
  const hardwareConfigurationId = run.hardwareConfigurationId.toLowerCase();
  return { run: { ...(JSON.parse(body) as RunRecord), hardwareConfigurationId }, body, nowS: dice.nowS };
}

const signedBy = ({ body, nowS }: Signed, signing: Partial<CertificateSigning>): HeaderField[] =>
  Object.entries(
    signWithCertificate({ certificate: own, alg: 'ed25519', body, deviceId: DEVICE_ID, createdS: nowS, ...signing }),
  );

function send(name: string, dice: Dice, body: string, fields: readonly HeaderField[], expected: Expected): Case {
  const headers = [HOST, JSON_TYPE, requestIdOf(dice.id), lengthOf(body), ...fields];
  return single({ family: 'certificate', name, bytes: toBytes({ headers, body }), expected });
}

function good(dice: Dice): Case {
  const one = runOf(dice);
  const [alg, certificate, chain] = pick(dice.random, GOOD as [(typeof GOOD)[number]]);
  const components = ['"@method"', '"@path"', '"content-digest"', '"device-certificate"']
    .sort(() => dice.random() - 0.5)
    .join(' ');
  const fields = signedBy(one, { alg, certificate, chain, components });
  return send(`good, ${alg}`, dice, one.body, fields, { ...stored(one.run), requestId: dice.id });
}

function badCertificate(dice: Dice): Case {
  const one = runOf(dice);
  const certificate = pick(dice.random, BAD);
  const chain = dice.random() < 0.3 ? [stranger] : [];
  return send(
    'that does not count',
    dice,
    one.body,
    signedBy(one, { certificate, keyPem: own.keyPem, chain }),
    UNKNOWN,
  );
}

/** The certificate's bytes changed, cut or put in, and signed as they are. */
function brokenBytes(dice: Dice): Case {
  const { random } = dice;
  const one = runOf(dice);
  const [, certificate] = pick(random, GOOD as [(typeof GOOD)[number]]);
  const at = wholeNumber(random, 0, certificate.der.length - 1);
  const put = bytesOf(random, wholeNumber(random, 1, 4));
  const before = certificate.der.subarray(0, at);
  const der = Buffer.concat([
    before,
    put,
    certificate.der.subarray(at + pick(random, [0, 0, put.length, 50] as const)),
  ]);
  const isSame = der.equals(certificate.der);
  const fields = signedBy(one, { certificate: { der, keyPem: own.keyPem } });
  // Rarely the same byte is drawn again.
  const expected = isSame ? { statuses: [202, 200, 401], stores: one.run } : UNKNOWN;
  return send('of broken bytes', dice, one.body, fields, expected);
}

const FIELDS: readonly ((field: string, dice: Dice) => string)[] = [
  () => '',
  () => '::',
  (field) => field.slice(1),
  (field) => field.slice(0, -1),
  (field) => `${field};a=1`,
  (field) => `${field}, ${field}`,
  (field) => `a=${field}`,
  (field) => `"${field}"`,
  (field) => field.replace(/:$/, '=:'),
  (field) => field.replace(/.{30}/, '$&\t'),
  (field) => field.replace(/[A-Z]/, '-'),
  (_field, { random }) => `:${bytesOf(random, wholeNumber(random, 1, 3000)).toString('base64')}:`,
  (_field, { random }) => `:${Buffer.alloc(2000, bytesOf(random, 1)).toString('base64')}:`,
  // Lengths nested in each other, each as long as it may be.
  () => `:${Buffer.alloc(6000, Buffer.from('3080', 'hex')).toString('base64')}:`,
  (_field, { random }) =>
    bytesOf(random, 40)
      .toString('latin1')
      .replaceAll(/[^ -~\u0080-\u00ff]/g, ''),
];

function brokenField(dice: Dice): Case {
  const one = runOf(dice);
  const field = pick(dice.random, FIELDS as [(typeof FIELDS)[number]])(toField(own), dice);
  return send('in a broken field', dice, one.body, signedBy(one, { field }), UNKNOWN);
}

function brokenChain(dice: Dice): Case {
  const { random } = dice;
  const one = runOf(dice);
  const [, certificate] = GOOD[2] as (typeof GOOD)[number];
  const chain = pick(random, [
    '',
    ',',
    ':AAAA:',
    `${toField(issuing)},`,
    `${toField(issuing)};a`,
    Array.from({ length: 8 }, () => toField(issuing)).join(', '),
    toField(stranger),
    ','.repeat(3000),
    `:${bytesOf(random, 500).toString('base64')}:`,
  ] as const);
  const fields = [...signedBy(one, { certificate }), ['Device-Certificate-Chain', chain] as const];
  return send('with a broken chain', dice, one.body, fields, UNKNOWN);
}

/** Good certificates under signatures that are not. */
const SIGNINGS: readonly ((one: Signed, dice: Dice) => Partial<CertificateSigning>)[] = [
  () => ({ components: '"@method" "@path" "content-digest"' }),
  () => ({ components: '"@method" "@path" "content-digest" "device-certificate";bs' }),
  () => ({ components: '"device-certificate"' }),
  ({ nowS }, { random }) => ({ createdS: nowS + pick(random, [-400, 400, 1e9] as const) }),
  () => ({ deviceId: 'CERTIFIED-0002' }),
  () => ({ deviceId: DEVICE_ID.toLowerCase() }),
  (_one, { random }) => ({
    alg: pick(random, [
      'rsa-v1_5-sha256',
      'rsa-pss-sha512',
      'ecdsa-p256-sha256',
      'none',
      '__proto__',
      'hmac-sha256',
      'ED25519',
    ] as const),
    by: [null, {}],
  }),
  () => ({ alg: 'rsa-v1_5-sha256', by: ['sha256', {}], keyPem: (GOOD[1] as (typeof GOOD)[number])[1].keyPem }),
  () => ({ path: '/v1/status' }),
  () => ({ method: 'PUT' }),
  ({ body }) => ({ body: `${body} ` }),
];

function otherSignature(dice: Dice): Case {
  const one = runOf(dice);
  const signing = pick(dice.random, SIGNINGS as [(typeof SIGNINGS)[number]])(one, dice);
  return send('signed otherwise', dice, one.body, signedBy(one, signing), UNKNOWN);
}

function brokenSignature(dice: Dice): Case {
  const { random } = dice;
  const one = runOf(dice);
  const bytes = bytesOf(random, pick(random, [0, 1, 63, 64, 65, 256, 1000] as const)).toString('base64');
  const fields = signedBy(one, {}).map(([name, value]): HeaderField => [
    name,
    name === 'Signature' ? `device=:${bytes}:` : value,
  ]);
  return send('with any bytes for a signature', dice, one.body, fields, UNKNOWN);
}

function otherDevice(dice: Dice): Case {
  const one = runOf(dice);
  const body = JSON.stringify({ ...one.run, deviceId: 'CERTIFIED-0002' });
  return send('for another device', dice, body, signedBy({ ...one, body }, {}), refusal(403, 'wrong-device'));
}

const KINDS = [
  good,
  good,
  badCertificate,
  brokenBytes,
  brokenBytes,
  brokenField,
  brokenChain,
  otherSignature,
  brokenSignature,
  otherDevice,
] as const;

export const certificates = (dice: Dice): Case => pick(dice.random, KINDS)(dice);

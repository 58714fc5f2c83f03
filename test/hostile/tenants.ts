// Callers of one tenant who want to be, or to see, another: keys and certificates of others, key ids of tenants that are none, operators' questions.
import { generateKeyPairSync } from 'node:crypto';
import { pick } from '../../src/sandbox/random.ts';
import { signWithCertificate } from '../support/certificate-signing.ts';
import { createAuthority } from '../support/certificates.ts';
import { GROUP_KEY, type Signing } from '../support/device.ts';
import {
  HOST,
  JSON_TYPE,
  lengthOf,
  refusal,
  requestIdOf,
  signatureFields,
  single,
  stored,
  toBytes,
  type Ask,
  type Case,
  type Dice,
  type Expected,
  type HeaderField,
  type Step,
} from './case.ts';
import { OPERATOR_TOKEN } from './operators.ts';
import { signedAs, UNKNOWN } from './signatures.ts';
import { partsOf, type Parts } from './tricks.ts';

/** The tenants beside `default`, whose devices the other families play. */
export const OTHERS = {
  contoso: 'Y29udG9zbyBoYXMgYSBncm91cCBrZXkgb2YgaXRzIG93biE=',
  fabrikam: 'ZmFicmlrYW0gaGFzIGEgZ3JvdXAga2V5IG9mIGl0cyBvd24=',
} as const;
type Other = keyof typeof OTHERS;
const KEYS = { default: GROUP_KEY, ...OTHERS } as const;
const NAMES = ['default', 'contoso', 'fabrikam'] as const;
type Name = (typeof NAMES)[number];

const keys = generateKeyPairSync('ed25519');
const authority = await createAuthority({ subject: 'CN=Contoso Root' });
/** What `contoso` takes for its devices' authority; nobody else does. */
export const CONTOSO_AUTHORITY_PEM = authority.pem;
const CERTIFIED = 'CONTOSO-0001';
const certificate = await authority.issue({ subject: `CN=${CERTIFIED}`, keys });

const of = (name: Name, expected: Expected): Expected =>
  name === 'default' ? expected : { ...expected, tenant: name };
const keep = (bytes: Buffer, expected: Expected): Step => ({ bytes, answers: [expected], then: 'keep' });
const signing = (name: Name): Partial<Signing> => (name === 'default' ? {} : { tenant: name, groupKey: KEYS[name] });
const otherThan = (dice: Dice, name: Name): Name =>
  pick(dice.random, NAMES.filter((one) => one !== name) as [Name, ...Name[]]);
const good = (p: Parts, name: Name): Step =>
  keep(signedAs(p, signing(name)), of(name, { ...stored(p.run), requestId: p.dice.id }));

/** The same device and run in two tenants: two deliveries, and what is refused in one does not concern the other. */
function twins(dice: Dice): Case {
  const parts = partsOf(dice);
  const one = pick(dice.random, NAMES);
  const other = otherThan(dice, one);
  const changed = { ...parts, body: JSON.stringify({ ...parts.run, policyVersion: 77 }) };
  const isNew = (step: Step, status: number): Step => ({
    ...step,
    answers: step.answers.map((answer) => ({ ...answer, statuses: [status] })),
  });
  return {
    family: 'tenants',
    name: 'the same run in two',
    steps: [
      isNew(good(parts, one), 202),
      isNew(good(parts, other), 202),
      isNew(good(parts, one), 200),
      keep(signedAs(changed, signing(other)), refusal(409, 'run-id-reused')),
      isNew(good(parts, other), 200),
    ],
  };
}

/** The key of one under the name of another. */
function foreignKey(dice: Dice): Case {
  const parts = partsOf(dice);
  const name = pick(dice.random, NAMES);
  const bytes = signedAs(parts, { ...signing(name), groupKey: KEYS[otherThan(dice, name)] });
  return single({ family: 'tenants', name: 'another tenant’s key', bytes, expected: UNKNOWN });
}

const KEY_IDS: readonly ((deviceId: string) => string)[] = [
  (id) => `nobody/${id}`,
  (id) => `default-/${id}`,
  (id) => `/${id}`,
  (id) => `//${id}`,
  (id) => `contoso//${id}`,
  (id) => `contoso/${id}/`,
  (id) => `contoso/fabrikam/${id}`,
  (id) => `default/contoso/${id}`,
  (id) => `CONTOSO/${id}`,
  (id) => `contoso%2F${id}`,
  (id) => `../contoso/${id}`,
  (id) => `contoso/../fabrikam/${id}`,
  (id) => `contoso\\\\${id}`,
  (id) => ` contoso/${id}`,
  (id) => `contoso /${id}`,
  (id) => `contoso:${id}`,
  (id) => `${'c'.repeat(41)}/${id}`,
  (id) => `__proto__/${id}`,
  (id) => `constructor/${id}`,
  () => 'contoso/',
  () => '/contoso',
];

/** Key ids that name no tenant here, or none at all, signed with whichever key would be good. */
function oddKeyId(dice: Dice): Case {
  const parts = partsOf(dice);
  const { deviceId } = parts.run;
  const keyId = pick(dice.random, KEY_IDS as [(typeof KEY_IDS)[number]])(deviceId);
  const bytes = signedAs(parts, {
    // The key of the device, or of a device that is called as the whole key id.
    deviceId: pick(dice.random, [deviceId, keyId]),
    groupKey: KEYS[pick(dice.random, NAMES)],
    parameters: `;created=${dice.nowS};keyid="${keyId}";alg="hmac-sha256"`,
  });
  return single({ family: 'tenants', name: 'a key id that is nobody’s', bytes, expected: UNKNOWN });
}

/** A key of `default` for a device that is called as another tenant's. */
function wholeKeyId(dice: Dice): Case {
  const parts = partsOf(dice);
  const tenant: Other = pick(dice.random, ['contoso', 'fabrikam'] as const);
  const bytes = signedAs(parts, { deviceId: `${tenant}/${parts.run.deviceId}` });
  return single({ family: 'tenants', name: 'a device called tenant/device', bytes, expected: UNKNOWN });
}

/** A run result that says its device is another tenant's. */
function bodyOfAnother(dice: Dice): Case {
  const parts = partsOf(dice);
  const name = pick(dice.random, NAMES);
  const { deviceId } = parts.run;
  const body = JSON.stringify({ ...parts.run, deviceId: `${pick(dice.random, NAMES)}/${deviceId}` });
  const bytes = signedAs({ ...parts, body }, signing(name));
  return single({
    family: 'tenants',
    name: 'tenant/device in the body',
    bytes,
    expected: refusal(403, 'wrong-device'),
  });
}

/** Said outright, the tenant `default` is the one that is meant without. */
function saidOutright(dice: Dice): Case {
  const parts = partsOf(dice);
  const expected = { ...stored(parts.run), requestId: dice.id };
  return single({ family: 'tenants', name: 'default, said', bytes: signedAs(parts, { tenant: 'default' }), expected });
}

/** A delivery of one tenant, asked for by the same device of another, and by an operator of another. */
function reading(dice: Dice): Case {
  const parts = partsOf(dice);
  const name = pick(dice.random, NAMES);
  const other = otherThan(dice, name);
  const asDevice = { ...signing(other), body: null, method: 'GET', deviceId: parts.run.deviceId, createdS: dice.nowS };
  const none = refusal(404, 'not-found');
  const ask = (asked: Ask): Step => ({ bytes: Buffer.alloc(0), ask: asked, answers: [none], then: 'keep' });
  return {
    family: 'tenants',
    name: 'another tenant’s delivery',
    steps: [
      good(parts, name),
      ask({ query: '', headers: [requestIdOf(dice.id)], signing: asDevice }),
      ask({ query: `?tenant=${other}`, headers: [AUTHORIZED, requestIdOf(dice.id)], signing: null }),
    ],
  };
}

const AUTHORIZED: HeaderField = ['Authorization', `Bearer ${OPERATOR_TOKEN}`];
const TENANTS = [
  'tenant=nobody',
  'tenant=',
  'tenant=contoso&tenant=fabrikam',
  'tenant[]=contoso',
  'tenant[id]=contoso',
  'tenant=CONTOSO',
  'tenant=contoso%00',
  'tenant=contoso%2F',
  'tenant=..%2Fcontoso',
  'tenant=*',
  'tenant=__proto__',
  'tenant=%20contoso',
  `tenant=${'c'.repeat(41)}`,
  'tenant=contoso,fabrikam',
] as const;
type Route = readonly [method: 'GET' | 'POST', path: string];
const ROUTES: readonly [Route, ...Route[]] = [
  ['GET', '/v1/status'],
  ['GET', '/v1/dead-letters'],
  ['GET', '/v1/deliveries?deviceId=dev-1'],
  ['GET', '/v1/summaries'],
  ['GET', '/v1/devices/revoked'],
  ['POST', '/v1/dead-letters/replay'],
  ['POST', '/v1/dead-letters/purge'],
  ['POST', '/v1/devices/dev-1/revoke'],
  ['POST', '/v1/devices/dev-1/restore'],
];

/** An operator who names no tenant that is served: nothing is shown and nothing done. */
function operator(dice: Dice): Case {
  const [method, route] = pick(dice.random, ROUTES);
  const body = method === 'POST' ? '{"filter":{}}' : '';
  const path = `${route}${route.includes('?') ? '&' : '?'}${pick(dice.random, TENANTS)}`;
  const bytes = toBytes({
    method,
    path,
    headers: [HOST, AUTHORIZED, JSON_TYPE, requestIdOf(dice.id), lengthOf(body)],
    body,
  });
  return single({
    family: 'tenants',
    name: `an operator of no tenant · ${method} ${route}`,
    bytes,
    // What only reads passes over a parameter it does not know, as `tenant[]` is.
    expected: { statuses: method === 'GET' ? [200, 400, 404, 422] : [400, 404, 422], stores: null },
  });
}

/** A certificate is good in the tenant whose authority issued it, and nowhere else. */
function certified(dice: Dice): Case {
  const parts = partsOf(dice);
  const run = { ...parts.run, deviceId: CERTIFIED };
  const body = JSON.stringify(run);
  const name = pick(dice.random, NAMES);
  const fields = Object.entries(
    signWithCertificate({
      certificate,
      alg: 'ed25519',
      body,
      deviceId: CERTIFIED,
      createdS: dice.nowS,
      ...(name !== 'default' && { tenant: name }),
    }),
  );
  const headers = [HOST, JSON_TYPE, requestIdOf(dice.id), lengthOf(body), ...fields];
  const expected = name === 'contoso' ? of(name, { ...stored(run), requestId: dice.id }) : UNKNOWN;
  return single({
    family: 'tenants',
    name: `a certificate of contoso’s authority · in ${name}`,
    bytes: toBytes({ headers, body }),
    expected,
  });
}

/** The bytes of a request for a delivery. */
export function toAsk({ query, headers, signing: signed }: Ask, deliveryId: string): Buffer {
  const path = `/v1/deliveries/${deliveryId}`;
  const fields = signed ? signatureFields({ ...signed, path }) : [];
  return toBytes({ method: 'GET', path: `${path}${query}`, headers: [HOST, ...headers, ...fields] });
}

const KINDS = [
  twins,
  foreignKey,
  oddKeyId,
  oddKeyId,
  wholeKeyId,
  bodyOfAnother,
  saidOutright,
  reading,
  operator,
  operator,
  certified,
] as const;

export const tenants = (dice: Dice): Case => pick(dice.random, KINDS)(dice);

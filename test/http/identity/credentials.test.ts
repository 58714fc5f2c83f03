// Device signatures: what RFC 9421 and the contract ask for is accepted, and everything beside it is not.
import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { deriveDeviceKey } from '../../../src/domain/submission/device-key.ts';
import { signRequest } from '../../../src/device/sign-request.ts';
import { expectProblem } from '../../support/answer.ts';
import { startListeningApp, type ListeningApp } from '../../support/app.ts';
import { DEVICE_ID, digestOf, GROUP_KEY, OLD_GROUP_KEY, runResult, sign, type Signing } from '../../support/device.ts';
import { send } from '../../support/raw-http.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';

/** A whole second, so that 300 s are exactly 300 s. */
const NOW_S = 1_800_000_000;
const BODY = JSON.stringify(runResult());

let redis: TestRedis;
let world: ListeningApp;
let port: number;
let nowMs = NOW_S * 1000;

beforeAll(async () => {
  redis = await startTestRedis();
  world = await startListeningApp(redis, { clock: () => nowMs });
  ({ port } = world);
});
beforeEach(async () => {
  nowMs = NOW_S * 1000;
  await redis.client.flushall();
});
afterAll(async () => {
  await world.close();
  await redis.close();
});

type Headers = Record<string, string | string[] | undefined>;

const signed = (signing: Partial<Signing> = {}) => sign({ body: BODY, createdS: NOW_S, ...signing });

const submit = (headers: Headers, body: string | Buffer = BODY, path = '/v1/run-results') => {
  const fields: Headers = { 'Content-Type': 'application/json', ...headers };
  const sent = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  return send({ port, method: 'POST', path, headers: sent, body });
};

async function expectUnauthenticated(answer: Awaited<ReturnType<typeof submit>>, reason: string): Promise<void> {
  const requestId = expectProblem(answer, {
    status: 401,
    code: 'unauthenticated',
    title: 'The request is not signed by a known device, or not in time',
    detail: 'the request must be signed with this device’s key, now',
  });
  expect(await redis.countStored()).toBe(0);
  expect(await world.told(requestId)).toMatchObject({
    msg: 'submission',
    status: 401,
    outcome: 'refused',
    code: 'unauthenticated',
    deviceId: null,
    reason,
  });
}

const MISSING = 'a signature header is missing';
const UNREADABLE = 'the signature headers cannot be read';
const INCOMPLETE = 'no signature is complete';
const COVERAGE = 'the signature must cover @method, @path, content-digest';
const UNKNOWN = 'what is covered cannot be computed here';
const ALGORITHM = 'the algorithm is not hmac-sha256';
const CREATED = 'created is missing';
const STALE = 'created is too far from now';
const KEYID = 'keyid is no device id';
const DIGEST = 'the digest is not the body’s';
const WRONG = 'the signature is wrong';

test('the derivation of a device’s key · gives what the contract’s vector says · base64 for base64', () => {
  const groupKey = Buffer.from(GROUP_KEY, 'base64');
  const key = deriveDeviceKey(groupKey, 'sn-007-888-abc-mac-a1-b2-c3-d4-e5-f6');
  expect(key.toString('base64')).toBe('Jsm0lyGpjaVYVP2g3FnmnmG9dI/9qU24wNoykUmermc=');
});

test('a signature put together from the RFC’s text · is accepted · with node:crypto and nothing else', async () => {
  const key = createHmac('sha256', Buffer.from(GROUP_KEY, 'base64')).update(DEVICE_ID).digest();
  const parameters = `("@method" "@path" "content-digest");created=${NOW_S};keyid="${DEVICE_ID}";alg="hmac-sha256"`;
  const base =
    '"@method": POST\n' +
    '"@path": /v1/run-results\n' +
    `"content-digest": ${digestOf(BODY)}\n` +
    `"@signature-params": ${parameters}`;
  const answer = await submit({
    'Content-Digest': digestOf(BODY),
    'Signature-Input': `device=${parameters}`,
    Signature: `device=:${createHmac('sha256', key).update(base).digest('base64')}:`,
  });
  expect(answer).toMatchObject({ status: 202, body: { runId: 'run-1', duplicate: false } });
});

test('the sandbox’s signer · is the same signer · header by header', async () => {
  const deviceKey = deriveDeviceKey(Buffer.from(GROUP_KEY, 'base64'), DEVICE_ID).toString('base64');
  const url = 'http://bridge/v1/run-results';
  const headers = await signRequest({
    method: 'POST',
    url,
    body: BODY,
    deviceId: DEVICE_ID,
    deviceKey,
    createdAtS: NOW_S,
  });
  expect((await submit(headers)).status).toBe(202);
});

test.each<[string, Partial<Signing>]>([
  ['an older group key of the rotation', { groupKey: OLD_GROUP_KEY }],
  ['the components in another order', { components: '"content-digest" "@path" "@method"' }],
  ['the parameters in another order', { parameters: `;alg="hmac-sha256";keyid="${DEVICE_ID}";created=${NOW_S}` }],
  ['a nonce besides', { parameters: `;created=${NOW_S};keyid="${DEVICE_ID}";alg="hmac-sha256";nonce="n-1"` }],
  ['a created 300 s ago', { createdS: NOW_S - 300 }],
  ['a created 300 s ahead', { createdS: NOW_S + 300 }],
])('a signature with %s · is valid · and accepted', async (_what, signing) => {
  expect((await submit(signed(signing))).status).toBe(202);
});

test('a query behind the path · is not part of @path · and changes nothing', async () => {
  expect((await submit(signed(), BODY, '/v1/run-results?try=2')).status).toBe(202);
});

test.each<[string, Partial<Signing>, string]>([
  ['made with a key of no group', { groupKey: 'YW5vdGhlciBncm91cCBrZXkgYWx0b2dldGhlcg==' }, WRONG],
  ['for another path', { path: '/v1/run-results/' }, WRONG],
  ['for another method', { method: 'PUT' }, WRONG],
  ['for the method in lower case', { method: 'post' }, WRONG],
  ['created 301 s ago', { createdS: NOW_S - 301 }, STALE],
  ['created 301 s ahead', { createdS: NOW_S + 301 }, STALE],
  ['created in milliseconds', { createdS: NOW_S * 1000 }, STALE],
  ['without created', { parameters: `;keyid="${DEVICE_ID}";alg="hmac-sha256"` }, CREATED],
  ['with created as text', { parameters: `;created="${NOW_S}";keyid="${DEVICE_ID}";alg="hmac-sha256"` }, CREATED],
  [
    'with created between seconds',
    { parameters: `;created=${NOW_S}.5;keyid="${DEVICE_ID}";alg="hmac-sha256"` },
    CREATED,
  ],
  ['without alg', { parameters: `;created=${NOW_S};keyid="${DEVICE_ID}"` }, ALGORITHM],
  ['with another alg', { parameters: `;created=${NOW_S};keyid="${DEVICE_ID}";alg="hmac-sha512"` }, ALGORITHM],
  ['with alg as a token', { parameters: `;created=${NOW_S};keyid="${DEVICE_ID}";alg=hmac-sha256` }, ALGORITHM],
  ['without keyid', { parameters: `;created=${NOW_S};alg="hmac-sha256"` }, KEYID],
  ['with an empty keyid', { deviceId: '' }, KEYID],
  ['with a keyid of other characters', { deviceId: 'BER/LAT:0001' }, KEYID],
  ['with a keyid of 129 characters', { deviceId: 'x'.repeat(129) }, KEYID],
  ['with keyid as a token', { parameters: `;created=${NOW_S};keyid=${DEVICE_ID};alg="hmac-sha256"` }, KEYID],
  ['without a component', { components: '"@method" "@path"' }, COVERAGE],
  ['without any component', { components: '' }, COVERAGE],
  ['with a component that is not there', { components: '"@method" "@path" "content-digest" "x-none"' }, UNKNOWN],
  ['with a component twice', { components: '"@method" "@path" "content-digest" "@path"' }, UNKNOWN],
  ['without one, and another twice', { components: '"@method" "@path" "@path"' }, COVERAGE],
  ['with a component that has a parameter', { components: '"@method" "@path" "content-digest";sf' }, COVERAGE],
  ['with a component of a request’s answer', { components: '"@method";req "@path" "content-digest"' }, COVERAGE],
  ['with components as tokens', { components: '@method @path content-digest' }, UNREADABLE],
  ['with a component as a token', { components: '"@method" "@path" "content-digest" content-type' }, UNKNOWN],
  ['over a digest that is not the body’s', { digest: digestOf('other') }, DIGEST],
  ['over a digest of another algorithm', { digest: `sha-512=:${'A'.repeat(86)}==:` }, DIGEST],
  ['over a digest that is none', { digest: 'sha-256' }, DIGEST],
  ['over a digest that is too short', { digest: 'sha-256=:AAAA:' }, DIGEST],
])('a signature %s · is not valid · and only the log says why', async (_what, signing, reason) => {
  await expectUnauthenticated(await submit(signed(signing)), reason);
});

const good = signed();

test.each<[string, Headers, string]>([
  ['no Signature', { ...good, Signature: undefined }, MISSING],
  ['no Signature-Input', { ...good, 'Signature-Input': undefined }, MISSING],
  ['no Content-Digest', { ...good, 'Content-Digest': undefined }, MISSING],
  ['none of them', {}, MISSING],
  ['Content-Digest twice, signed once', { ...good, 'Content-Digest': [digestOf(BODY), digestOf(BODY)] }, WRONG],
  ['an empty Signature', { ...good, Signature: '' }, INCOMPLETE],
  ['a Signature that is no dictionary', { ...good, Signature: ':AAAA:' }, UNREADABLE],
  ['a Signature that is text', { ...good, Signature: 'device="AAAA"' }, INCOMPLETE],
  ['a Signature of one byte', { ...good, Signature: 'device=:AA==:' }, WRONG],
  ['a Signature of no byte', { ...good, Signature: 'device=::' }, WRONG],
  ['a Signature-Input that is a string', { ...good, 'Signature-Input': 'device="x"' }, INCOMPLETE],
  [
    'a Signature-Input that breaks off',
    { ...good, 'Signature-Input': good['Signature-Input'].slice(0, 30) },
    UNREADABLE,
  ],
  ['labels that differ', { ...good, Signature: good.Signature.replace('device', 'other') }, INCOMPLETE],
  [
    'another device’s signature',
    { ...signed({ deviceId: 'BER-LAT-0002' }), 'Signature-Input': good['Signature-Input'] },
    WRONG,
  ],
  ['an operator’s token instead', { Authorization: 'Bearer an-operator-token-of-32-characters-or-more' }, MISSING],
])('a submission with %s · is refused as unauthenticated · and nothing is stored', async (_what, headers, reason) => {
  await expectUnauthenticated(await submit(headers), reason);
});

test('an altered body · no longer has its digest · and is refused', async () => {
  await expectUnauthenticated(await submit(good, BODY.replace('"exitCode":0', '"exitCode":1')), DIGEST);
});

test('an altered body under an altered digest · no longer has its signature · and is refused', async () => {
  const altered = BODY.replace('"exitCode":0', '"exitCode":1');
  await expectUnauthenticated(await submit({ ...good, 'Content-Digest': digestOf(altered) }, altered), WRONG);
});

test('a run result signed by the device itself for another · is known but not allowed · and refused as wrong-device', async () => {
  const answer = await submit(signed({ deviceId: 'BER-LAT-0002' }));
  expect(answer).toMatchObject({ status: 403, body: { code: 'wrong-device' } });
});

test('a replayed request · is the same delivery · until its time is over', async () => {
  const first = await submit(good);
  const second = await submit(good);
  const { deliveryId, acceptedAt } = first.body as Record<string, string>;
  expect(first.status).toBe(202);
  expect(second).toMatchObject({ status: 200, body: { deliveryId, acceptedAt, duplicate: true } });
  expect(await redis.client.hget('runstate:{default}:counts', 'queued')).toBe('1');

  nowMs += 300_001;
  const requestId = expectProblem(await submit(good), {
    status: 401,
    code: 'unauthenticated',
    title: 'The request is not signed by a known device, or not in time',
    detail: 'the request must be signed with this device’s key, now',
  });
  expect(await world.told(requestId)).toMatchObject({ reason: STALE });
});

test('a refusal for a wrong clock · carries the server’s time · so that the device can set its own', async () => {
  const answer = await submit(signed({ createdS: NOW_S - 9_999 }));
  expect(answer.status).toBe(401);
  expect(Math.abs(Date.parse(String(answer.headers['date'])) - Date.now())).toBeLessThan(5000);
});

test('a request line in absolute form · names the same path · and is accepted', async () => {
  const answer = await submit(signed(), BODY, `http://127.0.0.1:${port}/v1/run-results`);
  expect(answer.status).toBe(202);
});

test('the group key’s rotation · step by step · leaves out no device that has a key of its step', async () => {
  const [old, next] = [OLD_GROUP_KEY, GROUP_KEY];
  const steps: [keys: string, oldKey: number, newKey: number][] = [
    [old, 200, 401],
    [`${old},${next}`, 200, 200],
    [`${next},${old}`, 200, 200],
    [next, 401, 200],
  ];
  expect((await submit(signed())).status).toBe(202);
  for (const [keys, ...statuses] of steps) {
    const step = await startListeningApp(redis, { clock: () => nowMs, env: { DEVICE_GROUP_KEYS: keys } });
    const ask = async (groupKey: string) => {
      const headers = { 'Content-Type': 'application/json', ...signed({ groupKey }) };
      return (await send({ port: step.port, method: 'POST', path: '/v1/run-results', headers, body: BODY })).status;
    };
    expect([await ask(old), await ask(next)], keys).toEqual(statuses);
    await step.close();
  }
});

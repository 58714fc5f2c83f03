// The check of signatures against the library's: the same yes and no for every request that a signer or a meddler makes.
import { createHash, createHmac, createSecretKey } from 'node:crypto';
import { httpbis } from 'http-message-signatures';
import { expect, test } from 'vitest';
import { deriveDeviceKey } from '../../../../src/domain/submission/device-key.ts';
import { createVerifySignature, type SignedRequest } from '../../../../src/http/identity/signature/signature.ts';
import { createTargetsOf } from '../../../../src/http/identity/signature/signed-target.ts';
import { digestMatches } from '../../../../src/http/identity/signature/signed-headers.ts';
import { DEVICE_ID, digestOf, GROUP_KEY, OLD_GROUP_KEY, sign } from '../../../support/device.ts';
import { fc } from '../../../support/properties.ts';

const NOW_S = 1_800_000_000;
const KEYS = [GROUP_KEY, OLD_GROUP_KEY].map((key) => Buffer.from(key, 'base64'));
const findTenant = () => ({ groupKeys: KEYS.map((key) => createSecretKey(key)), findSigner: null });
const NAMES = ['signature', 'signature-input', 'content-digest'] as const;

type Sent = { method: string; url: string; body: Buffer | null; headers: Record<string, string> };

/** Ours: it knows the group keys alone, and its time stands still. */
const createVerify = () =>
  createVerifySignature({
    findTenant,
    clock: () => NOW_S * 1000,
    targetsOf: createTargetsOf(() => false),
  });

/** What the library says of the signature itself, for a request whose other conditions are met. */
async function judge({ method, url, headers }: Sent): Promise<boolean> {
  const verify = (base: Buffer, signature: Buffer) => {
    const macs = KEYS.map((key) => createHmac('sha256', deriveDeviceKey(key, DEVICE_ID)).update(base).digest());
    return Promise.resolve(macs.some((mac) => mac.equals(signature)));
  };
  const key = { id: DEVICE_ID, algs: ['hmac-sha256'], verify };
  const request = { method, url: url.startsWith('/') ? `http://device${url}` : url, headers };
  try {
    const notAfter = Number.MAX_SAFE_INTEGER;
    return (await httpbis.verifyMessage({ keyLookup: () => Promise.resolve(key), notAfter }, request)) === true;
  } catch {
    return false;
  }
}

const toRequest = ({ method, url, body, headers }: Sent): SignedRequest => ({
  request: {
    method,
    headers,
    headersDistinct: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])),
    socket: { remoteAddress: '192.0.2.1' },
  },
  url,
  hasBody: body !== null,
});

const lower = (headers: object) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]));

const NOT_THE_SIGNATURE = /^(?!the signature is wrong$)/;

const path = fc.oneof(
  fc.constantFrom(
    '/v1/run-results',
    '/v1/run-results?x=1',
    '/v1/deliveries/%64x',
    '/a/../b',
    '//host/p',
    '/',
    '/ä',
    '/a;b',
    '/%',
  ),
  fc.webPath().map((text) => (text.startsWith('/') ? text : `/${text}`)),
);
const REQUIRED = ['"@method"', '"@path"', '"content-digest"'];
const FURTHER = [
  '"@authority"',
  '"@scheme"',
  '"content-type"',
  '"x-list";bs',
  '"x-list";sf',
  '"x-dict";key="b"',
  '"x-none"',
];
const shuffled = fc
  .subarray(FURTHER, { maxLength: 3 })
  .chain((further) => fc.shuffledSubarray([...REQUIRED, ...further], { minLength: 3 + further.length }));
const OTHERS = { host: 'device', 'content-type': 'application/json', 'x-list': 'a,  b;x', 'x-dict': 'a=1, b=(x  y);z' };
const VALUES = {
  '"@authority"': 'device',
  '"@scheme"': 'http',
  '"x-list";bs': `:${Buffer.from(OTHERS['x-list']).toString('base64')}:`,
  '"x-list";sf': 'a, b;x',
  '"x-dict";key="b"': '(x y);z',
};
const parameter = fc.constantFrom(
  ';nonce="n-1"',
  ';nonce="q\\"uote\\\\"',
  ';tag=token',
  ';tag=:AAAA:',
  ';x=1.50',
  ';x=-0',
  ';flag',
  ';flag=?0',
  ';expires=1800000100',
  ' ; spaced=1',
  '',
);

const request = fc
  .record({
    path,
    method: fc.constantFrom('POST', 'GET', 'HEAD', 'PUT'),
    components: shuffled,
    more: fc.array(parameter, { maxLength: 3 }),
    body: fc.option(fc.uint8Array({ maxLength: 40 }), { nil: null }),
    groupKey: fc.constantFrom(GROUP_KEY, OLD_GROUP_KEY, 'YW5vdGhlciBncm91cCBrZXkgYWx0b2dldGhlcg=='),
  })
  .map(({ path: url, method, components, more, body, groupKey }): Sent => {
    const bytes = body && Buffer.from(body);
    const covered = components.filter((name) => bytes !== null || name !== '"content-digest"').join(' ');
    const parameters = `;created=${NOW_S};keyid="${DEVICE_ID}";alg="hmac-sha256"${more.join('')}`;
    const signedPath = URL.parse(`http://device${url}`)?.pathname ?? url;
    const values = VALUES;
    const headers = sign({ method, path: signedPath, body: bytes, components: covered, parameters, groupKey, values });
    return { method, url, body: bytes, headers: { ...OTHERS, ...lower(headers) } };
  });

/** Changes a header at one place, or not at all. */
const meddled = fc
  .tuple(
    request,
    fc.constantFrom(...NAMES),
    fc.nat(),
    fc.constantFrom('', 'A', '"', ';', '=', ' ', '(', ':', '0', 'é'),
    fc.boolean(),
  )
  .map(([sent, name, at, text, meddle]): Sent => {
    const value = sent.headers[name];
    if (value === undefined || !meddle) return sent;
    const place = at % (value.length + 1);
    return { ...sent, headers: { ...sent.headers, [name]: value.slice(0, place) + text + value.slice(place + 1) } };
  });

test('whatever is signed and altered · is valid or not · as the library finds', async () => {
  const verify = createVerify();
  let good = 0;
  let wrong = 0;
  await fc.assert(
    fc.asyncProperty(meddled, async (sent) => {
      const proof = verify(toRequest(sent));
      // What is refused before the signature is looked at was never the library's to judge.
      if (!proof.ok && NOT_THE_SIGNATURE.test(proof.reason)) return;
      expect(proof.ok).toBe(await judge(sent));
      if (proof.ok) good += 1;
      else wrong += 1;
    }),
    { numRuns: 4000 },
  );
  expect(good).toBeGreaterThan(500);
  expect(wrong).toBeGreaterThan(300);
});

test('whatever is refused before the signature is looked at · is refused for a reason · never for none', () => {
  const verify = createVerify();
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.string(), (signature, signatureInput, digest) => {
      const headers = { signature, 'signature-input': signatureInput, 'content-digest': digest };
      const proof = verify(toRequest({ method: 'POST', url: '/v1/run-results', body: Buffer.from('{}'), headers }));
      expect(proof).toMatchObject({ ok: false });
    }),
  );
});

test.each([
  ['before its end', ';expires=1800000000', true],
  ['after its end', ';expires=1799999999', false],
  ['with an end that is text', ';expires="1800000100"', false],
])('a signature %s · is verified · and accepted or refused accordingly', (_what, more, ok) => {
  const verify = createVerify();
  const body = Buffer.from('{}');
  const parameters = `;created=${NOW_S};keyid="${DEVICE_ID}";alg="hmac-sha256"${more}`;
  const headers = lower(sign({ body, parameters }));
  expect(verify(toRequest({ method: 'POST', url: '/v1/run-results', body, headers })).ok).toBe(ok);
});

test('more devices than are remembered · are all known · the first as well as the last', () => {
  const verify = createVerify();
  const body = Buffer.from('{}');
  const one = (deviceId: string, groupKey = GROUP_KEY) => {
    const headers = lower(sign({ body, deviceId, groupKey, createdS: NOW_S }));
    return verify(toRequest({ method: 'POST', url: '/v1/run-results', body, headers }));
  };
  for (let n = 0; n < 10_100; n += 1) expect(one(`d-${n}`).ok).toBe(true);
  expect(one('d-0')).toEqual({ ok: true, tenantId: 'default', deviceId: 'd-0', contentDigest: digestOf('{}') });
  // A device may change to its other key and back, and is refused with a third in between.
  expect(one('d-10099', OLD_GROUP_KEY).ok).toBe(true);
  expect(one('d-10099', 'YW5vdGhlciBncm91cCBrZXkgYWx0b2dldGhlcg==').ok).toBe(false);
  expect(one('d-10099').ok).toBe(true);
});

test('the digest of a body · is checked · as is every digest in the field of that name', () => {
  const body = Buffer.from('{}');
  const other = createHash('sha512').update(body).digest('base64');
  const digest = `sha-512=:${other}:, ${digestOf('{}')}`;
  expect(digestMatches(digest, body)).toBe(true);
  expect(digestMatches(digest, Buffer.from('{ }'))).toBe(false);
  const verify = createVerify();
  const headers = lower(sign({ body, digest, createdS: NOW_S }));
  const proof = verify(toRequest({ method: 'POST', url: '/v1/run-results', body, headers }));
  expect(proof).toEqual({ ok: true, tenantId: 'default', deviceId: DEVICE_ID, contentDigest: digest });
});

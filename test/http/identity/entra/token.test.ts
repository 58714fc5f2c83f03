// Tokens of Entra's: relays submit for many devices, operators operate, and a token that is not good in every way is none.
import { generateKeyPair } from 'jose';
import request from 'supertest';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { toIssuers } from '../../../../src/http/identity/entra/tenant.ts';
import { startTestApp, untilConnected, OPERATOR_TOKEN, type TestApp } from '../../../support/app.ts';
import { DEVICE_ID, runResult, sign } from '../../../support/device.ts';
import { startTestRedis, type TestRedis } from '../../../support/redis.ts';
import {
  APP_ID,
  startSigningAuthority,
  TENANT,
  type Changes,
  type Mood,
  type SigningAuthority,
} from '../../../support/signing-authority.ts';
import { startTunnelProxy, type Tunnel } from '../../../support/tunnel-proxy.ts';
import { until } from '../../../support/until.ts';

const RELAY = 'RunResults.Submit';
const OPERATE = 'Operate';
const BODY = JSON.stringify(runResult());

let redis: TestRedis;
let authority: SigningAuthority;
let world: TestApp;
const worlds: TestApp[] = [];

/** A service that has not fetched any keys yet. */
async function open(env: Record<string, string> = {}): Promise<TestApp> {
  const opened = await startTestApp(redis, { env: { ...authority.env, ...env }, random: () => 0.5 });
  worlds.push(opened);
  await untilConnected(opened);
  return opened;
}

beforeAll(async () => {
  redis = await startTestRedis();
  authority = await startSigningAuthority();
  world = await open();
});
beforeEach(async () => {
  authority.feel('keys');
  await redis.client.flushall();
});
afterAll(async () => {
  for (const opened of worlds) await opened.close();
  await authority.close();
  await redis.close();
});

const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });
const submit = (token: string, { app } = world, body = BODY, headers: Record<string, string> = {}) =>
  request(app)
    .post('/v1/run-results')
    .set({ 'Content-Type': 'application/json', ...bearer(token), ...headers })
    .send(body);
const status = (token: string, { app } = world) => request(app).get('/v1/status').set(bearer(token));

describe('a relay', () => {
  test('with its role · submits for many devices · each for itself, and the log says who', async () => {
    const token = await authority.issue(RELAY);
    for (const deviceId of ['LAPTOP-1', 'LAPTOP-2']) {
      const answer = await submit(token, world, JSON.stringify(runResult({ deviceId })));
      expect(answer).toMatchObject({ status: 202, body: { runId: 'run-1', duplicate: false } });
      expect(await world.told(answer.headers['x-request-id'])).toMatchObject({ deviceId, appId: APP_ID });
    }
    expect(JSON.stringify(world.lines)).not.toContain(token.split('.')[2]);
  });

  test('reads any delivery · and no operators’ route · for want of that role', async () => {
    const token = await authority.issue(RELAY);
    const { deliveryId } = (await submit(token)).body as { deliveryId: string };
    const answer = await request(world.app).get(`/v1/deliveries/${deliveryId}`).set(bearer(token));
    expect(answer).toMatchObject({ status: 200, body: { deviceId: DEVICE_ID } });
    const unknown = await request(world.app).get('/v1/deliveries/none').set(bearer(token));
    expect(unknown).toMatchObject({ status: 404, body: { code: 'not-found' } });
    expect(await status(token)).toMatchObject({
      status: 403,
      body: { code: 'role-missing', detail: 'the token’s roles do not include Operate' },
    });
  });

  test('whose run result has no device · is told of the fault · like any other sender', async () => {
    const { deviceId, ...rest } = runResult();
    expect(deviceId).toBeDefined();
    expect(await submit(await authority.issue(RELAY), world, JSON.stringify(rest))).toMatchObject({
      status: 422,
      body: { code: 'invalid-run-result', errors: [{ pointer: '/deviceId' }] },
    });
  });

  test('for a revoked device · is refused · and submits for the others', async () => {
    await world.tenant.revocations.revoke(DEVICE_ID, Date.now());
    const token = await authority.issue(RELAY);
    expect(await submit(token)).toMatchObject({
      status: 403,
      body: { code: 'wrong-device', detail: 'nothing is accepted for this device' },
    });
    expect((await submit(token, world, JSON.stringify(runResult({ deviceId: 'LAPTOP-3' })))).status).toBe(202);
    await world.tenant.revocations.restore(DEVICE_ID);
  });

  test.each([[[]], [[OPERATE]], [['runresults.submit']]])(
    'with the roles %j · submits nothing · and is told why',
    async (roles) => {
      expect(await submit(await authority.issue(...roles))).toMatchObject({
        status: 403,
        body: { code: 'role-missing', detail: 'the token’s roles do not include RunResults.Submit' },
      });
      expect(await redis.countStored()).toBe(0);
    },
  );
});

describe('an operator', () => {
  test('with the role · operates · as with the operator token', async () => {
    const token = await authority.issue(OPERATE);
    expect((await status(token)).status).toBe(200);
    expect((await status(OPERATOR_TOKEN)).status).toBe(200);
    expect((await request(world.app).get('/v1/deliveries/none').set(bearer(token))).status).toBe(404);
    const dryRun = { filter: {}, dryRun: true };
    expect((await request(world.app).post('/v1/dead-letters/replay').set(bearer(token)).send(dryRun)).status).toBe(200);
  });

  test('without an operator token configured · has the routes · which others are refused', async () => {
    const tokenless = await open({ OPERATOR_TOKEN: '' });
    expect((await status(await authority.issue(OPERATE), tokenless)).status).toBe(200);
    const refused = await status(OPERATOR_TOKEN, tokenless);
    expect(refused).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer' } });
  });
});

describe('beside a signature', () => {
  test('a valid one · the signature decides · whatever the token', async () => {
    const answer = await submit('no.token.atall', world, BODY, sign({ body: BODY }));
    expect(answer.status).toBe(202);
  });

  test('an invalid one · is refused · also with a valid token', async () => {
    const bad = { ...sign({ body: 'another' }), Signature: 'device=:AAAA:' } as Record<string, string>;
    const answer = await submit(await authority.issue(RELAY), world, BODY, bad);
    expect(answer).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
  });
});

test('beside a signature by a proxy · a valid token · decides', async () => {
  const proxys = {
    'Signature-Input': 'p=("@authority");keyid="https://proxy.example/keys/1";alg="ed25519"',
    Signature: 'p=:AAAA:',
  };
  expect((await submit(await authority.issue(RELAY), world, BODY, proxys)).status).toBe(202);
});

describe('a token', () => {
  const nowS = Math.floor(Date.now() / 1000);
  const v1 = { iss: `https://sts.windows.net/${TENANT}/`, azp: undefined, appid: APP_ID, ver: '1.0' };

  test.each<[string, Changes]>([
    ['of version 1', { claims: v1 }],
    ['for one audience of several', { claims: { aud: ['api://other', 'api://runstate-bridge'] } }],
    ['that was over half a minute ago', { claims: { exp: nowS - 30 } }],
  ])('%s · is valid · and submits', async (_what, changes) => {
    expect((await submit(await authority.sign([RELAY], changes))).status).toBe(202);
  });

  test.each<[string, Changes, string]>([
    [
      'of another audience',
      { claims: { aud: 'https://graph.microsoft.com' } },
      'ERR_JWT_CLAIM_VALIDATION_FAILED (aud)',
    ],
    ['of no audience', { claims: { aud: undefined } }, 'ERR_JWT_CLAIM_VALIDATION_FAILED (aud)'],
    [
      'of another issuer',
      { claims: { iss: `https://evil.example/${TENANT}/v2.0` } },
      'ERR_JWT_CLAIM_VALIDATION_FAILED (iss)',
    ],
    [
      'of another tenant’s issuer',
      { claims: { iss: 'https://sts.windows.net/00000000-0000-0000-0000-000000000000/' } },
      'ERR_JWT_CLAIM_VALIDATION_FAILED (iss)',
    ],
    ['that is over', { claims: { exp: nowS - 120 } }, 'ERR_JWT_EXPIRED (exp)'],
    ['that never ends', { claims: { exp: undefined } }, 'ERR_JWT_CLAIM_VALIDATION_FAILED (exp)'],
    ['that begins later', { claims: { nbf: nowS + 300 } }, 'ERR_JWT_CLAIM_VALIDATION_FAILED (nbf)'],
    ['of no tenant', { claims: { tid: undefined } }, 'ERR_JWT_CLAIM_VALIDATION_FAILED (tid)'],
    ['under an unknown key', { header: { kid: 'key-99' } }, 'ERR_JWKS_NO_MATCHING_KEY'],
  ])('%s · is refused · and the log says why', async (_what, changes, reason) => {
    const answer = await submit(await authority.sign([RELAY], changes));
    expect(answer).toMatchObject({
      status: 401,
      body: { code: 'unauthenticated', detail: 'the request must be signed with this device’s key, now' },
    });
    expect(await world.told(answer.headers['x-request-id'])).toMatchObject({
      reason: `the token is not good: ${reason}`,
    });
    expect(await redis.countStored()).toBe(0);
  });

  test('of another tenant · is refused · though all else is right', async () => {
    const token = await authority.sign([RELAY], { claims: { tid: '00000000-52a4-4b6f-9d1e-2f6c1f0a9b33' } });
    const answer = await submit(token);
    expect(answer.status).toBe(401);
    expect(await world.told(answer.headers['x-request-id'])).toMatchObject({
      reason: 'the token is of another tenant',
    });
  });

  test('signed by someone else under our key’s id · is refused · and so is one that was altered', async () => {
    const { privateKey } = await generateKeyPair('RS256');
    const forged = await authority.sign([RELAY], { key: privateKey });
    const [header, , signature] = (await authority.issue(OPERATE)).split('.');
    const [, claims] = (await authority.issue(RELAY)).split('.');
    for (const token of [forged, [header, claims, signature].join('.')]) {
      const answer = await submit(token);
      expect(answer.status).toBe(401);
      expect(await world.told(answer.headers['x-request-id'])).toMatchObject({
        reason: 'the token is not good: ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
      });
    }
  });

  test('of another algorithm · is refused · even with the public key as its secret', async () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const [, claims] = (await authority.issue(RELAY)).split('.');
    const rs512 = await authority.sign([RELAY], {
      header: { alg: 'RS512' },
      key: (await generateKeyPair('RS512')).privateKey,
    });
    const asked = authority.asked();
    const tokens = [
      `${part({ alg: 'none', kid: 'key-1' })}.${claims}.`,
      `${part({ alg: 'HS256', kid: 'key-1' })}.${claims}.${'A'.repeat(43)}`,
      `${part({ alg: 'RS256' })}.${claims}.AAAA`,
      rs512,
      `${part({ alg: 'RS256', kid: 'key-1', crit: ['exp'], exp: 1 })}.${claims}.AAAA`,
      'nonsense',
      'a.b.c',
    ];
    for (const token of tokens) {
      const answer = await submit(token);
      expect(answer.status).toBe(401);
      expect(await world.told(answer.headers['x-request-id'])).toMatchObject({
        reason: 'the token is none, or not signed with RS256',
      });
    }
    expect(authority.asked()).toBe(asked);
  });

  test('where no audience is configured · is refused · even a valid one', async () => {
    const without = await open({ ENTRA_AUDIENCE: '' });
    expect((await submit(await authority.issue(RELAY), without)).status).toBe(401);
    expect((await status(await authority.issue(OPERATE), without)).status).toBe(401);
  });
});

describe('the authority’s keys', () => {
  test('are fetched once · for many tokens at once · and unknown keys do not make it ask again', async () => {
    const fresh = await open();
    const asked = authority.asked();
    const token = await authority.issue(RELAY);
    const unknown = await authority.sign([RELAY], { header: { kid: 'key-98' } });
    const answers = await Promise.all(Array.from({ length: 10 }, () => submit(token, fresh)));
    expect(answers.map((answer) => answer.status).filter((code) => code >= 400)).toEqual([]);
    for (let n = 0; n < 5; n += 1) expect((await submit(unknown, fresh)).status).toBe(401);
    expect(authority.asked()).toBe(asked + 1);
  });

  test.each<[string, Mood]>([
    ['fails', 'fails'],
    ['hangs', 'hangs'],
    ['sends elsewhere', 'redirects'],
    ['talks nonsense', 'nonsense'],
  ])(
    'of one that %s · the answer is identity-unavailable within 2 s · and signatures are as good as ever',
    async (_what, mood) => {
      authority.feel(mood);
      const fresh = await open();
      const startedAt = performance.now();
      const answer = await submit(await authority.issue(RELAY), fresh);
      expect(performance.now() - startedAt).toBeLessThan(2000);
      expect(answer).toMatchObject({
        status: 503,
        body: { code: 'identity-unavailable', detail: 'tokens cannot be checked at present; send it again later' },
        headers: { 'retry-after': '16' },
      });
      expect(fresh.lines.some(({ msg }) => msg === 'the keys Entra signs tokens with could not be fetched')).toBe(true);
      expect((await submit('', fresh, BODY, sign({ body: BODY }) as Record<string, string>)).status).toBe(202);
      expect((await submit('nonsense', fresh)).status).toBe(401);

      authority.feel('keys');
      await until('keys again', async () => (await submit(await authority.issue(RELAY), fresh)).status === 200);
    },
  );

  test('once known · serve on · while the authority is away', async () => {
    const fresh = await open();
    expect((await status(await authority.issue(OPERATE), fresh)).status).toBe(200);
    authority.feel('hangs');
    expect((await status(await authority.issue(OPERATE), fresh)).status).toBe(200);
  });

  test('once known · serve on · beside tokens under keys that cannot be fetched', async () => {
    const fresh = await open();
    expect((await status(await authority.issue(OPERATE), fresh)).status).toBe(200);
    authority.feel('fails');
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 31_000 });
    const unknown = await authority.sign([RELAY], { header: { kid: 'key-97' } });
    expect((await submit(unknown, fresh)).status).toBe(503);
    expect((await status(await authority.issue(OPERATE), fresh)).status).toBe(200);
    const asked = authority.asked();
    expect((await submit(unknown, fresh)).status).toBe(503);
    expect(authority.asked()).toBe(asked);
    vi.useRealTimers();
  });

  test('that are new · are fetched when a token names one · and the old one counts no more', async () => {
    const old = await authority.issue(OPERATE);
    await authority.rotate();
    const fresh = await open();
    expect((await status(await authority.issue(OPERATE), fresh)).status).toBe(200);
    expect((await status(old, fresh)).status).toBe(401);
  });
});

describe('the signing keys, where there is a proxy', () => {
  const credentials = `Basic ${Buffer.from('user:p@ss').toString('base64')}`;

  test.each(['HTTPS_PROXY', 'https_proxy'])('of %s · are fetched through it · with its credentials', async (name) => {
    await using proxy = await startTunnelProxy();
    const fresh = await open({ [name]: `http://user:p%40ss@127.0.0.1:${proxy.port}` });
    expect((await status(await authority.issue(OPERATE), fresh)).status).toBe(200);
    expect(proxy.asked).toEqual([`${new URL(authority.env['AZURE_AUTHORITY_HOST'] ?? '').host} ${credentials}`]);
  });

  test('of an authority that NO_PROXY names · are fetched directly · and not through the proxy', async () => {
    await using proxy = await startTunnelProxy();
    const fresh = await open({ HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`, NO_PROXY: 'localhost' });
    expect((await status(await authority.issue(OPERATE), fresh)).status).toBe(200);
    expect(proxy.asked).toEqual([]);
  });

  test.each<[how: string, tunnel: Tunnel]>([
    ['opens no tunnel', (_, socket) => socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n')],
    ['never answers', () => undefined],
  ])('that %s · cannot be fetched · and the proxy is not bypassed', async (_how, tunnel) => {
    await using proxy = await startTunnelProxy(tunnel);
    const fresh = await open({ HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` });
    const before = authority.asked();
    const startedAt = performance.now();
    expect((await submit(await authority.issue(RELAY), fresh)).status).toBe(503);
    expect(performance.now() - startedAt).toBeLessThan(2000);
    expect([proxy.asked.length, authority.asked()]).toEqual([1, before]);
    expect(fresh.lines.some(({ msg }) => msg === 'the keys Entra signs tokens with could not be fetched')).toBe(true);
  });
});

test.each([
  ['https://login.microsoftonline.com', 'https://sts.windows.net', 'https://login.microsoftonline.com'],
  ['https://login.microsoftonline.us', 'https://sts.windows.net', 'https://login.microsoftonline.us'],
  ['https://login.chinacloudapi.cn', 'https://sts.chinacloudapi.cn', 'https://login.partner.microsoftonline.cn'],
])('the cloud of %s · signs under its own names · in both versions', (authorityHost, one, two) => {
  expect(toIssuers({ authorityHost, tenantId: TENANT })).toEqual([`${one}/${TENANT}/`, `${two}/${TENANT}/v2.0`]);
});

// Apps with Entra tokens of one tenant among several: an operator sees its own tenant alone, a relay submits to it alone.
import request from 'supertest';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { OPERATOR_TOKEN, startTestApi, type TestApi } from '../../support/app.ts';
import { runResult } from '../../support/device.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { startSigningAuthority, TENANT, type SigningAuthority } from '../../support/signing-authority.ts';
import { AZURE, createTenantsFile, type TenantsFile } from '../../support/tenants-file.ts';
import { aRun } from '../../support/tenant.ts';

let redis: TestRedis;
let file: TenantsFile;
let authority: SigningAuthority;
let api: TestApi;
let operator: string;

beforeAll(async () => {
  redis = await startTestRedis();
  file = createTenantsFile();
  authority = await startSigningAuthority();
  const { AZURE_AUTHORITY_HOST: authorityHost = '', ENTRA_AUDIENCE = '' } = authority.env;
  const azure = { ...AZURE, managedIdentity: true };
  file.write([
    { id: 'contoso', azure: { ...azure, tenantId: TENANT }, graph: { authorityHost } },
    { id: 'fabrikam', azure, graph: { authorityHost }, devices: { directory: 'entra' } },
  ]);
  api = await startTestApi(redis, {
    env: { TENANTS_FILE: file.path, ENTRA_AUDIENCE, AZURE_AUTHORITY_HOST: authorityHost },
  });
  operator = await authority.issue('Operate');
  for (const id of ['contoso', 'fabrikam']) await api.tenants.find(id)?.tenant.accept(aRun('1'), Date.now());
});
afterAll(async () => {
  await api.close();
  await authority.close();
  await redis.close();
  file.close();
});

const ask = (path: string, token = operator) => request(api.app).get(path).set('Authorization', `Bearer ${token}`);

test.each([
  '/v1/status',
  '/v1/dead-letters',
  '/v1/devices/revoked',
  '/dashboard/tenants.json',
  '/dashboard/overview.json',
  '/dashboard/search.json?text=1',
  '/dashboard/queues',
  '/dashboard/queues/api/queues',
])('an operator of one tenant · learns nothing of another · at %s', async (path) => {
  expect((await ask(path)).text).not.toContain('fabrikam');
  const named = await ask(`${path}${path.includes('?') ? '&' : '?'}tenant=fabrikam`);
  expect(named.status).toBe(404);
});

test.each(['/v1/devices/LAPTOP-1/revoke', '/v1/throttle/end', '/v1/dead-letters/purge', '/dashboard/replay'])(
  'an operator of one tenant · changes nothing of another · at %s',
  async (path) => {
    const answer = await request(api.app)
      .post(`${path}?tenant=fabrikam`)
      .set('Authorization', `Bearer ${operator}`)
      .send({ filter: {} });
    expect(answer.status).toBe(404);
  },
);

test('the raw view · shows the queue of all tenants · to who sees them all', async () => {
  const { body } = (await ask('/dashboard/queues/api/queues', OPERATOR_TOKEN)) as {
    body: { queues: { displayName: string }[] };
  };
  expect(body.queues.map(({ displayName }) => displayName)).toEqual(['jobs of deliveries']);
});

test('a relay · submits to the tenant whose Entra tenant issued its token', async () => {
  const relay = await authority.issue('RunResults.Submit');
  const answer = await request(api.app)
    .post('/v1/run-results')
    .set({ Authorization: `Bearer ${relay}`, 'Content-Type': 'application/json' })
    .send(JSON.stringify(runResult({ runId: 'relayed' })));
  const { deliveryId } = answer.body as { deliveryId: string };
  expect((await ask(`/v1/deliveries/${deliveryId}`)).body).toMatchObject({ tenant: 'contoso' });
});

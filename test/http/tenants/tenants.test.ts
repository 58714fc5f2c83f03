// Many tenants behind one API: who belongs where, and that nothing of one is ever another's.
import request from 'supertest';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Readiness } from '../../../src/http/response/response-schemas.ts';
import { OPERATOR_TOKEN, startTestApi, type TestApi } from '../../support/app.ts';
import { createAuthority, type Authority } from '../../support/certificates.ts';
import { signWithCertificate } from '../../support/certificate-signing.ts';
import { runResult, sign } from '../../support/device.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { createTenantsFile, type TenantsFile } from '../../support/tenants-file.ts';
import { until } from '../../support/until.ts';

const KEYS = { contoso: keyOf(1), fabrikam: keyOf(2), default: keyOf(3) };
type Id = keyof typeof KEYS;

let redis: TestRedis;
let file: TenantsFile;
let authority: Authority;
let api: TestApi;

beforeAll(async () => {
  redis = await startTestRedis();
  file = createTenantsFile();
  authority = await createAuthority();
  const caFile = file.file('ca.pem', authority.pem);
  file.write([
    file.tenant('contoso', KEYS.contoso, {
      devices: { groupKeyFiles: [file.file('contoso-devices', KEYS.contoso)], caFile },
    }),
    file.tenant('fabrikam', KEYS.fabrikam),
    file.tenant('default', KEYS.default),
  ]);
  api = await startTestApi(redis, { env: { TENANTS_FILE: file.path } });
});
afterAll(async () => {
  await api.close();
  await redis.close();
  file.close();
});

function keyOf(byte: number): string {
  return Buffer.alloc(32, byte).toString('base64');
}

type Asked = { tenant?: string | undefined; groupKey: string; deviceId?: string; runId?: string; url?: string };

function submit({ tenant, groupKey, deviceId = 'LAPTOP-1', runId = 'run-1' }: Asked) {
  const body = JSON.stringify(runResult({ deviceId, runId }));
  return request(api.app)
    .post('/v1/run-results')
    .set(sign({ body, deviceId, groupKey, ...(tenant !== undefined && { tenant }) }))
    .set('Content-Type', 'application/json')
    .send(body);
}

const asDevice = (deliveryId: string, { tenant, groupKey, deviceId = 'LAPTOP-1' }: Asked) => {
  const path = `/v1/deliveries/${deliveryId}`;
  const signature = sign({ method: 'GET', path, body: null, deviceId, groupKey, ...(tenant && { tenant }) });
  return request(api.app).get(path).set(signature);
};

const asOperator = (path: string) => request(api.app).get(path).set('Authorization', `Bearer ${OPERATOR_TOKEN}`);
const change = (path: string, body: object = {}) =>
  request(api.app).post(path).set('Authorization', `Bearer ${OPERATOR_TOKEN}`).send(body);
const own = (id: Id): Asked => ({ tenant: id, groupKey: KEYS[id] });

test('one device and run id in three tenants · are three deliveries · each seen by its own device alone', async () => {
  const answers = [
    await submit(own('contoso')),
    await submit(own('fabrikam')),
    await submit({ groupKey: KEYS.default }),
  ];
  expect(answers.map(({ status }) => status)).toEqual([202, 202, 202]);
  const ids = answers.map(({ body }) => (body as { deliveryId: string }).deliveryId);
  expect(new Set(ids).size).toBe(3);
  const askers: Asked[] = [own('contoso'), own('fabrikam'), { groupKey: KEYS.default }];
  for (const [owner, id] of ids.entries()) {
    for (const [index, asker] of askers.entries()) {
      expect((await asDevice(id, asker)).status).toBe(index === owner ? 200 : 404);
    }
  }
  expect((await asDevice(ids[0] ?? '', own('contoso'))).body).toMatchObject({ tenant: 'contoso' });
  expect((await submit(own('contoso'))).body).toMatchObject({ deliveryId: ids[0], duplicate: true });
});

test.each<[string, Asked]>([
  ['another tenant’s key', { tenant: 'fabrikam', groupKey: KEYS.contoso }],
  ['a key of its own for the default tenant', { groupKey: KEYS.contoso }],
  ['a tenant that is not there', { tenant: 'nobody', groupKey: KEYS.contoso }],
  ['a tenant in capitals', { tenant: 'Contoso', groupKey: KEYS.contoso }],
  ['an empty tenant', { tenant: '', groupKey: KEYS.contoso }],
  ['two tenants', { tenant: 'contoso/contoso', groupKey: KEYS.contoso }],
])('%s · is refused with 401', async (_what, asked) => {
  expect((await submit({ ...asked, runId: 'foreign' })).status).toBe(401);
});

test('another’s signature · whose key id looks like one with a tenant · is another’s', async () => {
  const body = JSON.stringify(runResult({ deviceId: 'LAPTOP-1', runId: 'beside-others' }));
  const ours = sign({ body, deviceId: 'LAPTOP-1', groupKey: KEYS.fabrikam, tenant: 'fabrikam' });
  const theirs = sign({ body, deviceId: 'edge-1', groupKey: KEYS.contoso, tenant: 'gateway', label: 'proxy' });
  const answer = await request(api.app)
    .post('/v1/run-results')
    .set({
      ...ours,
      'Signature-Input': `${theirs['Signature-Input']}, ${ours['Signature-Input']}`,
      Signature: `${theirs.Signature}, ${ours.Signature}`,
    })
    .set('Content-Type', 'application/json')
    .send(body);
  expect(answer.status).toBe(202);
});

test('a certificate · is of the tenant whose authority proves it · and of no other in the key id', async () => {
  const certificate = await authority.issue({ subject: 'CN=LAPTOP-1' });
  const body = JSON.stringify(runResult({ deviceId: 'LAPTOP-1', runId: 'run-certified' }));
  const send = (tenant?: string) =>
    request(api.app)
      .post('/v1/run-results')
      .set(signWithCertificate({ certificate, body, deviceId: 'LAPTOP-1', ...(tenant && { tenant }) }))
      .set('Content-Type', 'application/json')
      .send(body);
  expect((await send('contoso')).status).toBe(202);
  expect((await send('fabrikam')).status).toBe(401);
  expect((await send()).status).toBe(401);
});

test('an operator · sees every tenant · or the one that is asked for', async () => {
  const { deliveryId } = (await submit({ ...own('fabrikam'), runId: 'run-seen' })).body as { deliveryId: string };
  expect((await asOperator(`/v1/deliveries/${deliveryId}`)).body).toMatchObject({ tenant: 'fabrikam' });
  expect((await asOperator(`/v1/deliveries/${deliveryId}?tenant=contoso`)).status).toBe(404);
  expect((await asOperator(`/v1/deliveries/${deliveryId}?tenant=nobody`)).status).toBe(404);
  const all = (await asOperator('/v1/status')).body as { tenants: { id: string }[] };
  expect(all.tenants.map(({ id }) => id).sort()).toEqual(['contoso', 'default', 'fabrikam']);
  const one = (await asOperator('/v1/status?tenant=fabrikam')).body as { tenants: { id: string }[] };
  expect(one.tenants.map(({ id }) => id)).toEqual(['fabrikam']);
});

test('dead letters of several tenants · are listed in pages · counted, replayed and purged together or by one', async () => {
  for (const id of ['contoso', 'fabrikam'] as const) {
    for (const number of [1, 2, 3]) await letDie(id, `dead-${number}`);
  }
  const seen: string[] = [];
  let cursor: string | null = null;
  do {
    const more: string = cursor === null ? '' : `&cursor=${cursor}`;
    const page = (await asOperator(`/v1/dead-letters?limit=2${more}`)).body as {
      deadLetters: { tenant: string; runId: string }[];
      nextCursor: string | null;
    };
    seen.push(...page.deadLetters.map(({ tenant, runId }) => `${tenant} ${runId}`));
    cursor = page.nextCursor;
  } while (cursor !== null);
  expect(seen.sort()).toEqual(['contoso', 'fabrikam'].flatMap((id) => [1, 2, 3].map((n) => `${id} dead-${n}`)));
  const ofFabrikam = (await asOperator('/v1/dead-letters?tenant=fabrikam')).body as { deadLetters: object[] };
  expect(ofFabrikam.deadLetters).toHaveLength(3);
  expect((await change('/v1/dead-letters/replay?tenant=contoso', { filter: {} })).body).toEqual({
    matched: 3,
    replayed: 3,
  });
  // Not all of them are meant by who misspells the one.
  for (const query of ['tennant=contoso', 'tenant[]=contoso', 'tenant=contoso&x=1']) {
    const refused = await change(`/v1/dead-letters/purge?${query}`, { filter: {} });
    expect([query, refused.status, (refused.body as { code: string }).code]).toEqual([query, 422, 'invalid-request']);
  }
  expect((await change('/v1/dead-letters/purge', { filter: {} })).body).toEqual({ matched: 3, purged: 3 });
  const audit = api.lines.filter(({ msg }) => msg === 'changed by an operator');
  expect(audit.map(({ operation, tenantId, changed }) => ({ operation, tenantId, changed }))).toEqual(
    expect.arrayContaining([
      { operation: 'replay', tenantId: 'contoso', changed: 3 },
      { operation: 'purge', tenantId: 'fabrikam', changed: 3 },
    ]),
  );
});

async function letDie(id: Id, runId: string): Promise<void> {
  const { deliveryId } = (await submit({ ...own(id), runId })).body as { deliveryId: string };
  const tenant = api.tenants.find(id)?.tenant;
  const stored = await tenant?.deliveries.load(deliveryId);
  if (!tenant || !stored) throw new Error('it was not stored');
  const lastFailure = {
    ...{ kind: 'rejected' as const, code: 'graph-404', detail: 'gone', at: 1 },
    ...{ graphStatus: 404, graphCode: null, graphRequestId: null },
  };
  await tenant.deliveries.save(stored, { ...stored.delivery, status: 'dead', lastFailure }, { now: Date.now() });
}

test('a revoked device · is revoked in one tenant · and the tenant must be named where it is not clear', async () => {
  expect((await change('/v1/devices/LAPTOP-9/revoke?tenant=contoso')).body).toMatchObject({ changed: true });
  expect((await submit({ ...own('contoso'), deviceId: 'LAPTOP-9' })).status).toBe(401);
  expect((await submit({ ...own('fabrikam'), deviceId: 'LAPTOP-9' })).status).toBe(202);
  const listed = (await asOperator('/v1/devices/revoked')).body as { revoked: object[] };
  expect(listed.revoked).toMatchObject([{ deviceId: 'LAPTOP-9', tenant: 'contoso' }]);
  // Without a name it is the default tenant's.
  await change('/v1/devices/LAPTOP-8/revoke');
  expect((await submit({ groupKey: KEYS.default, deviceId: 'LAPTOP-8' })).status).toBe(401);
  expect((await submit({ ...own('contoso'), deviceId: 'LAPTOP-8' })).status).toBe(202);
});

test('metrics · have the tenant as a label', async () => {
  const { text } = await request(api.app).get('/metrics');
  expect(text).toMatch(/runstate_deliveries\{status="queued",tenant="contoso"\} \d/);
  expect(text).toMatch(/runstate_submissions_total\{outcome="accepted",code="accepted",tenant="fabrikam"\} \d/);
  expect(text).toMatch(/runstate_held\{reason="forbidden",tenant="default"\} 0/);
});

test('a changed file · is in force within seconds · one with faults changes nothing and says so', async () => {
  const before = [file.tenant('contoso', KEYS.contoso), file.tenant('default', KEYS.default)];
  file.write([...before, file.tenant('fabrikam', KEYS.fabrikam), file.tenant('litware', keyOf(9))]);
  await until('the new tenant', async () => (await submit({ tenant: 'litware', groupKey: keyOf(9) })).status === 202);
  file.write([...before, { id: 'fabrikam' }]);
  const readiness = await until('its faults', async () => {
    const body = (await request(api.app).get('/readyz')).body as Readiness;
    return body.checks['tenants']?.ok === false && body;
  });
  expect(readiness.status).toBe('degraded');
  expect(readiness.checks['tenants']?.detail).toContain('tenants[2].azure');
  expect((await request(api.app).get('/metrics')).text).toMatch(/^runstate_tenants_file_faults [1-9]/m);
  expect((await submit({ tenant: 'litware', groupKey: keyOf(9), runId: 'still' })).status).toBe(202);
  const kept = (await submit({ ...own('fabrikam'), runId: 'kept' })).body as { deliveryId: string };
  file.write(before);
  await until('one less', async () => (await submit({ ...own('fabrikam'), runId: 'late' })).status === 401);
  expect((await submit({ ...own('contoso'), runId: 'on-and-on' })).status).toBe(202);
  // What was removed comes back with all its data.
  file.write([...before, file.tenant('fabrikam', KEYS.fabrikam)]);
  await until('it again', async () => (await asDevice(kept.deliveryId, own('fabrikam'))).status === 200);
  // A rotated key.
  file.file('contoso-devices', keyOf(7));
  await until(
    'the new key',
    async () => (await submit({ tenant: 'contoso', groupKey: keyOf(7), runId: 'x' })).status === 202,
  );
  expect((await submit({ ...own('contoso'), runId: 'old-key' })).status).toBe(401);
}, 60_000);

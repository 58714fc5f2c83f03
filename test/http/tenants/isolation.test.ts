// Whatever ids and keys there are: no request of one tenant is answered from another.
import request from 'supertest';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApi, type TestApi } from '../../support/app.ts';
import { runResult, sign } from '../../support/device.ts';
import { fc } from '../../support/properties.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { createTenantsFile, type TenantsFile } from '../../support/tenants-file.ts';

// Ids that are beginnings, endings and look-alikes of each other, and of what stands between them in keys.
const TENANTS = ['a', 'aa', 'a-a', '-', 'default', 'r', 'c', 'deliveries', 'line'];
const DEVICES = ['a', 'aa', 'a-a', 'default', 'a.a', '0'];
const keyOf = (tenant: string) => Buffer.alloc(32, 1 + TENANTS.indexOf(tenant)).toString('base64');

let redis: TestRedis;
let file: TenantsFile;
let api: TestApi;

beforeAll(async () => {
  redis = await startTestRedis();
  file = createTenantsFile();
  file.write(TENANTS.map((id) => file.tenant(id, keyOf(id))));
  api = await startTestApi(redis, { env: { TENANTS_FILE: file.path } });
});
afterAll(async () => {
  await api.close();
  await redis.close();
  file.close();
});

type Device = { tenant: string; deviceId: string };

const tenants = fc.constantFrom(...TENANTS);
const devices = fc.record({ tenant: tenants, deviceId: fc.constantFrom(...DEVICES) });
const names = ({ tenant }: Device) => (tenant === 'default' ? {} : { tenant });

function submit(device: Device, { runId, groupKey }: { runId: string; groupKey: string }) {
  const { deviceId } = device;
  const body = JSON.stringify(runResult({ deviceId, runId }));
  return request(api.app)
    .post('/v1/run-results')
    .set(sign({ body, deviceId, groupKey, ...names(device) }))
    .set('Content-Type', 'application/json')
    .send(body);
}

function read(device: Device, deliveryId: string) {
  const path = `/v1/deliveries/${deliveryId}`;
  const { deviceId, tenant } = device;
  const signature = sign({ method: 'GET', path, body: null, deviceId, groupKey: keyOf(tenant), ...names(device) });
  return request(api.app).get(path).set(signature);
}

test('a run result · is of the tenant that signed it · and seen by its device alone', async () => {
  await fc.assert(
    fc.asyncProperty(devices, tenants, devices, fc.nat(3), async (device, key, other, run) => {
      const runId = `run-${run}`;
      const answer = await submit(device, { runId, groupKey: keyOf(key) });
      if (key !== device.tenant) {
        expect(answer.status).toBe(401);
        return;
      }
      const { deliveryId } = answer.body as { deliveryId: string };
      expect([200, 202]).toContain(answer.status);
      const isItself = other.tenant === device.tenant && other.deviceId === device.deviceId;
      const seen = await read(other, deliveryId);
      expect(seen.status).toBe(isItself ? 200 : 404);
      if (isItself) expect(seen.body).toMatchObject({ tenant: device.tenant, deviceId: device.deviceId, runId });
      const stored = await api.tenants.find(device.tenant)?.tenant.deliveries.find(deliveryId);
      expect(stored).toMatchObject({ tenantId: device.tenant, deviceId: device.deviceId, runId });
    }),
    { numRuns: 150 },
  );
}, 60_000);

test('a revocation · is of one tenant · whatever the device is called', async () => {
  await fc.assert(
    fc.asyncProperty(devices, devices, async (revoked, other) => {
      const of = (device: Device) => api.tenants.find(device.tenant)?.tenant.revocations;
      await of(revoked)?.revoke(revoked.deviceId, 1);
      const isItself = other.tenant === revoked.tenant && other.deviceId === revoked.deviceId;
      expect((await submit(other, { runId: 'any', groupKey: keyOf(other.tenant) })).status === 401).toBe(isItself);
      await of(revoked)?.restore(revoked.deviceId);
    }),
    { numRuns: 60 },
  );
}, 60_000);

// Client certificates of several tenants at one listener: the tenant is the one whose authority proves the certificate.
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTlsMaterial } from '../../../src/sandbox/server/certificates.ts';
import { OPERATOR_TOKEN, startTestApi, type TestApi } from '../../support/app.ts';
import { createAuthority, type Authority, type Made } from '../../support/certificates.ts';
import { runResult } from '../../support/device.ts';
import { trustedTlsDirectory } from '../../support/graph.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { AZURE, createTenantsFile, type TenantsFile } from '../../support/tenants-file.ts';
import { until } from '../../support/until.ts';

const NAMES = ['contoso', 'fabrikam', 'litware'] as const;
type Name = (typeof NAMES)[number];

let redis: TestRedis;
let file: TenantsFile;
let api: TestApi;
let ca: string;
const authorities = {} as Record<Name, Authority>;

const entry = (id: Name) => ({
  id,
  azure: { ...AZURE, managedIdentity: true },
  devices: { caFile: file.file(`${id}-ca.pem`, authorities[id].pem) },
});

beforeAll(async () => {
  redis = await startTestRedis();
  file = createTenantsFile();
  // All have the same name: only the key tells them apart.
  for (const name of NAMES) authorities[name] = await createAuthority();
  const material = await createTlsMaterial(trustedTlsDirectory(), ['localhost', '127.0.0.1']);
  ca = material.caPem;
  file.write([entry('contoso'), entry('fabrikam')]);
  api = await startTestApi(redis, {
    env: {
      TENANTS_FILE: file.path,
      TLS_CERT_FILE: file.file('cert.pem', material.certificatePem),
      TLS_KEY_FILE: file.file('key.pem', material.privateKeyPem),
    },
  });
});
afterAll(async () => {
  await api.close();
  await redis.close();
  file.close();
});

type Sent = { client: Made | null; runId: string; agent?: Agent };

async function ask(
  path: string,
  { client, agent, ...rest }: { client: Made | null; agent?: Agent; body?: string; headers?: object },
) {
  const outgoing = request({
    host: '127.0.0.1',
    port: api.port,
    method: rest.body === undefined ? 'GET' : 'POST',
    path,
    agent: agent ?? false,
    ca,
    ...(client && { cert: client.pem, key: client.keyPem }),
    headers: { 'Content-Type': 'application/json', ...rest.headers },
  });
  outgoing.end(rest.body);
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
  return { status: incoming.statusCode ?? 0, body: (await json(incoming)) as Record<string, unknown> };
}

const submit = ({ client, runId, agent }: Sent) =>
  ask('/v1/run-results', { client, body: JSON.stringify(runResult({ runId })), ...(agent && { agent }) });

async function tenantOf(deliveryId: unknown): Promise<unknown> {
  const headers = { Authorization: `Bearer ${OPERATOR_TOKEN}` };
  return (await ask(`/v1/deliveries/${String(deliveryId)}`, { client: null, headers })).body['tenant'];
}

test('certificates of two tenants · with the same names in them · are each its own tenant’s', async () => {
  for (const name of ['contoso', 'fabrikam'] as const) {
    const { status, body } = await submit({ client: await authorities[name].issue(), runId: 'run-1' });
    expect(status).toBe(202);
    expect(await tenantOf(body['deliveryId'])).toBe(name);
    const issuing = await authorities[name].below();
    const made = await issuing.issue();
    const chained = await submit({ client: { ...made, pem: made.pem + issuing.pem }, runId: 'run-2' });
    expect(chained.status).toBe(202);
    expect(await tenantOf(chained.body['deliveryId'])).toBe(name);
  }
  expect((await submit({ client: await authorities.litware.issue(), runId: 'run-1' })).status).toBe(401);
});

test('a tenant that is added · is known at once · and open connections go on; one that is removed is not', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const contoso = await authorities.contoso.issue();
  const litware = await authorities.litware.issue();
  expect((await submit({ client: contoso, agent, runId: 'run-3' })).status).toBe(202);
  file.write([entry('contoso'), entry('fabrikam'), entry('litware')]);
  await until('the new tenant', async () => (await submit({ client: litware, runId: 'run-3' })).status === 202);
  expect((await submit({ client: contoso, agent, runId: 'run-4' })).status).toBe(202);
  agent.destroy();
  file.write([entry('contoso'), entry('fabrikam')]);
  await until('its end', async () => (await submit({ client: litware, runId: 'run-4' })).status === 401);
  expect((await submit({ client: contoso, runId: 'run-5' })).status).toBe(202);
}, 60_000);

test('a certificate that the authorities of two tenants prove · is nobody’s', async () => {
  const issuing = await authorities.contoso.below();
  const made = await issuing.issue();
  const client = { ...made, pem: made.pem + issuing.pem };
  expect((await submit({ client, runId: 'run-6' })).status).toBe(202);
  const below = { ...entry('litware'), devices: { caFile: file.file('below-ca.pem', issuing.pem) } };
  file.write([entry('contoso'), entry('fabrikam'), below]);
  await until('nobody', async () => (await submit({ client, runId: 'run-6' })).status === 401);
  expect((await submit({ client: await authorities.contoso.issue(), runId: 'run-7' })).status).toBe(202);
}, 60_000);

test('without any tenant · a client certificate is of nobody · until there is one again', async () => {
  const client = await authorities.contoso.issue();
  file.write([]);
  await until('nobody', async () => (await submit({ client, runId: 'run-8' })).status === 401);
  file.write([entry('contoso')]);
  await until('contoso', async () => (await submit({ client, runId: 'run-9' })).status === 202);
}, 60_000);

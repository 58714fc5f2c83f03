// The token endpoint: proofs of the client, Entra's errors, and the real @azure/identity against it.
import { ClientCertificateCredential, ClientSecretCredential } from '@azure/identity';
import { decodeJwt } from 'jose';
import { describe, expect, test } from 'vitest';

import { createAppCertificate, jwtBearer } from '../app-certificate.ts';
import { scope } from '../client.ts';
import { openSandbox } from '../opened.ts';

type TokenBody = { access_token: string; expires_in: number; refresh_in?: number };

const { sandbox, client } = await openSandbox();

const credentialOptions = () => ({
  authorityHost: sandbox.authorityHost,
  disableInstanceDiscovery: true,
  tlsOptions: { ca: sandbox.caPem },
  retryOptions: { maxRetries: 0 },
});

async function refusalOf(form: Record<string, string>): Promise<[number, string, number]> {
  const response = await client.askForToken(form);
  const body = (await response.json()) as { error: string; error_codes: [number]; error_description: string };
  expect(body.error_description).toMatch(/^AADSTS\d+: .+ Trace ID: .+ Correlation ID: .+ Timestamp: .+Z$/);
  return [response.status, body.error, body.error_codes[0]];
}

describe('a token request', () => {
  test('with the secret · is answered with a signed token · that says who and what for', async () => {
    sandbox.set({ refreshInS: 1800, tokenLifetimeS: 7200 });
    const body = (await (await client.askForToken()).json()) as TokenBody;
    expect(body).toMatchObject({ token_type: 'Bearer', expires_in: 7200, refresh_in: 1800 });
    const claims = decodeJwt(body.access_token);
    expect(claims).toMatchObject({
      aud: 'https://graph.microsoft.com',
      iss: `https://sts.windows.net/${sandbox.tenantId}/`,
      tid: sandbox.tenantId,
      appid: sandbox.clientId,
      roles: ['DeviceManagementConfiguration.ReadWrite.All'],
    });
    expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(7200);
  });

  test('while the permission is taken away · is answered with a token · that has no roles', async () => {
    sandbox.set({ permission: 'taken-away' });
    const body = (await (await client.askForToken()).json()) as TokenBody;
    expect(decodeJwt(body.access_token)).not.toHaveProperty('roles');
  });

  test.each([
    ['a wrong secret', { client_secret: 'wrong' }, [401, 'invalid_client', 7000215]],
    ['another app', { client_id: 'aaaaaaaa-0000-4000-8000-000000000000' }, [400, 'unauthorized_client', 700016]],
    ['another grant', { grant_type: 'password' }, [400, 'unsupported_grant_type', 70003]],
    ['no .default', { scope: 'https://graph.microsoft.com/User.Read' }, [400, 'invalid_scope', 1002012]],
    ['an unknown resource', { scope: 'https://example.com/.default' }, [400, 'invalid_resource', 500011]],
    [
      'a foreign assertion',
      { client_assertion_type: jwtBearer, client_assertion: 'a.b.c' },
      [401, 'invalid_client', 700027],
    ],
  ])('with %s · is refused · as Entra words it', async (_case, form, expected) => {
    expect(await refusalOf(form)).toEqual(expected);
  });

  test('with a secret that was rotated · the old one is refused · the new one accepted', async () => {
    sandbox.set({ secrets: ['rotated'] });
    expect(await refusalOf({})).toEqual([401, 'invalid_client', 7000215]);
    expect((await client.askForToken({ client_secret: 'rotated' })).status).toBe(200);
  });

  test('while the secret is revoked · is refused · with the code for expired keys', async () => {
    sandbox.set({ secret: 'revoked' });
    expect(await refusalOf({})).toEqual([401, 'invalid_client', 7000222]);
  });

  test('with a federated token on the list · is accepted · and refused off the list', async () => {
    const form = { client_assertion_type: jwtBearer, client_assertion: 'from-the-cluster' };
    sandbox.set({ federatedTokens: ['from-the-cluster'], secrets: [] });
    expect((await client.askForToken(form)).status).toBe(200);
    sandbox.set({ federatedTokens: [] });
    expect((await client.askForToken(form)).status).toBe(401);
  });

  test.each([
    ['for the token endpoint', '/oauth2/v2.0/token', 300, 200],
    ['for somewhere else', '/elsewhere', 300, 401],
    ['that has expired', '/oauth2/v2.0/token', -301, 401],
  ])(
    'with a certificate’s assertion %s · is answered as it deserves · by audience and time',
    async (_case, suffix, secondsLeft, status) => {
      const app = await createAppCertificate();
      sandbox.set({ certificates: [app.certificatePem] });
      const audience = `${sandbox.authorityHost}/${sandbox.tenantId}${suffix}`;
      const client_assertion = await app.sign(sandbox.clientId, audience, Math.floor(Date.now() / 1000) + secondsLeft);
      const response = await client.askForToken({ client_assertion_type: jwtBearer, client_assertion });
      expect(response.status).toBe(status);
    },
  );

  test('to another tenant · is refused · as unknown', async () => {
    const response = await client.call(
      `${sandbox.authorityHost}/contoso.example/v2.0/.well-known/openid-configuration`,
    );
    expect([response.status, await response.json()]).toMatchObject([400, { error_codes: [90002] }]);
  });

  test.each([
    ['429 with Retry-After 1', 429, 'temporarily_unavailable'],
    ['503', 503, 'temporarily_unavailable'],
    ['invalid_client', 401, 'invalid_client'],
  ])('that meets %s · is answered accordingly · in Entra’s format', async (fault, status, error) => {
    sandbox.script(`next token: ${fault}`);
    const response = await client.askForToken();
    expect([response.status, await response.json()]).toMatchObject([status, { error }]);
    expect((await client.askForToken()).status).toBe(200);
  });
});

describe('@azure/identity', () => {
  test('with a client secret · gets a token in two requests · that Graph accepts', async () => {
    const { tenantId, clientId, clientSecret } = sandbox;
    const credential = new ClientSecretCredential(tenantId, clientId, clientSecret, credentialOptions());
    const { token } = await credential.getToken(scope);
    expect(sandbox.requests().map(({ operation }) => operation)).toEqual(['discovery', 'token']);
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    expect((await client.create({}, { headers })).status).toBe(201);
  });

  test('with a wrong secret · throws what Entra said · with its code and status', async () => {
    const credential = new ClientSecretCredential(sandbox.tenantId, sandbox.clientId, 'wrong', credentialOptions());
    await expect(credential.getToken(scope)).rejects.toMatchObject({
      cause: { errorCode: 'invalid_client', status: 401 },
    });
  });

  test('with a client certificate · gets a token once it is registered · and none before', async () => {
    const app = await createAppCertificate();
    const certificate = { certificate: app.certificatePem + '\n' + app.privateKeyPem };
    const getToken = () =>
      new ClientCertificateCredential(sandbox.tenantId, sandbox.clientId, certificate, credentialOptions()).getToken(
        scope,
      );
    await expect(getToken()).rejects.toThrow('AADSTS700027');
    sandbox.set({ certificates: [app.certificatePem] });
    expect(decodeJwt((await getToken()).token)['appid']).toBe(sandbox.clientId);
  });
});

describe('the managed identity endpoint', () => {
  const ask = (query: string, header = sandbox.managedIdentity.header) =>
    fetch(`${sandbox.managedIdentity.endpoint}${query}`, { headers: { 'X-IDENTITY-HEADER': header } });

  test('asked with the header · gives a token · that Graph accepts', async () => {
    const response = await ask('?api-version=2019-08-01&resource=https://graph.microsoft.com');
    const body = (await response.json()) as { access_token: string; expires_on: string };
    expect(Number(body.expires_on)).toBe(decodeJwt(body.access_token).exp);
    const headers = { authorization: `Bearer ${body.access_token}`, 'content-type': 'application/json' };
    expect((await client.create({}, { headers })).status).toBe(201);
  });

  test('asked without the header or for another resource · refuses · and gives no token', async () => {
    expect((await ask('?api-version=2019-08-01&resource=https://graph.microsoft.com', 'wrong')).status).toBe(401);
    expect((await ask('?api-version=2019-08-01&resource=https://example.com')).status).toBe(400);
    expect((await ask('?api-version=2017-09-01&resource=https://graph.microsoft.com')).status).toBe(400);
  });
});

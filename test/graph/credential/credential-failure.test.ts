// What a token that was not given means, against a real token endpoint that answers as Entra, proxies and gateways do.
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CredentialConfig, GraphConfig } from '../../../src/config/graph.ts';
import { REMEDIES } from '../../../src/domain/hold/hold.ts';
import { createTokenSource } from '../../../src/graph/credential/token.ts';
import { toSecret } from '../../../src/config/secret.ts';
import { createAppCertificate } from '../../sandbox/app-certificate.ts';
import { createTlsMaterial } from '../../../src/sandbox/server/certificates.ts';
import { trustedTlsDirectory } from '../../support/graph.ts';

const JSON_TYPE = 'application/json; charset=utf-8';
const IDS = { tenantId: '11111111-1111-4111-8111-111111111111', clientId: '22222222-2222-4222-8222-222222222222' };
const SECRET: CredentialConfig = { kind: 'secret', ...IDS, secret: toSecret('a~secret') };

type Reply = { status: number; type: string; body: string };
const oauth = (status: number, error: string, code: number, text: string): Reply => ({
  status,
  type: JSON_TYPE,
  body: JSON.stringify({
    error,
    error_description: `AADSTS${code}: ${text} Trace ID: 4c2f Correlation ID: 9b1e Timestamp: 2026-11-28 10:00:00Z`,
    error_codes: [code],
  }),
});
const TOKEN: Reply = {
  status: 200,
  type: JSON_TYPE,
  body: JSON.stringify({ token_type: 'Bearer', expires_in: 3599, access_token: 'aaaa.bbbb.cccc' }),
};

let server: Server;
let origin = '';
let reply: Reply = TOKEN;
let directory = '';

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'runstate-credential-'));
  const tls = await createTlsMaterial(trustedTlsDirectory(), ['localhost']);
  server = createServer({ key: tls.privateKeyPem, cert: tls.certificatePem }, (request, response) => {
    request.resume();
    if (request.url?.includes('openid-configuration') === true) {
      const issuer = `${origin}/${IDS.tenantId}`;
      response.setHeader('content-type', JSON_TYPE);
      response.end(
        JSON.stringify({
          issuer,
          authorization_endpoint: `${issuer}/authorize`,
          token_endpoint: `${issuer}/oauth2/v2.0/token`,
          jwks_uri: `${issuer}/keys`,
        }),
      );
      return;
    }
    response.writeHead(reply.status, { 'content-type': reply.type });
    response.end(reply.body);
  });
  server.listen(0, 'localhost');
  await once(server, 'listening');
  origin = `https://localhost:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.close();
  await rm(directory, { recursive: true, force: true });
});

const configOf = (credential: CredentialConfig, authorityHost = origin): GraphConfig => ({
  baseUrl: `${origin}/beta`,
  scope: 'https://graph.microsoft.com/.default',
  authorityHost,
  instanceDiscovery: false,
  credential,
  attemptTimeoutMs: 5000,
  proxy: null,
});
const tokenFor = (credential: CredentialConfig, authorityHost?: string) =>
  createTokenSource(configOf(credential, authorityHost), Date.now, () => undefined).get();

async function failureOf(answer: Reply) {
  reply = answer;
  const token = await tokenFor(SECRET);
  if (token.ok) throw new Error('a token was given');
  return token.failure;
}

describe('Entra · refuses the credential', () => {
  test.each<[what: string, answer: Reply]>([
    ['a wrong secret', oauth(401, 'invalid_client', 7000215, 'Invalid client secret provided.')],
    ['an expired secret', oauth(401, 'invalid_client', 7000222, 'The provided client secret keys are expired.')],
    ['an unknown app', oauth(400, 'unauthorized_client', 700016, 'Application was not found in the directory.')],
    ['an unknown tenant', oauth(400, 'invalid_request', 90002, 'Tenant not found.')],
    ['a disabled app', oauth(400, 'unauthorized_client', 7000112, 'Application is disabled.')],
    ['Conditional Access', oauth(400, 'interaction_required', 53003, 'Access has been blocked by policies.')],
    ['an error nobody knows', oauth(400, 'something_new', 999999, 'Something new.')],
  ])('%s', async (_what, answer) => {
    const failure = await failureOf(answer);
    expect(failure.kind).toBe('credential-refused');
    expect(failure.detail).toMatch(/AADSTS\d+: \w/);
    expect(failure.detail).not.toMatch(/Trace ID|Correlation/);
  });
});

describe('the token endpoint · is in trouble, and the credential is not to blame', () => {
  test.each<[what: string, answer: Reply]>([
    ['temporarily unavailable', oauth(400, 'temporarily_unavailable', 90033, 'A transient error has occurred.')],
    ['the same by its code alone', oauth(400, 'invalid_request', 90033, 'A transient error has occurred.')],
    ['a time-out by code', oauth(400, 'invalid_request', 90012, 'RequestTimeout.')],
    ['throttled by code', oauth(400, 'invalid_request', 90055, 'TenantThrottlingError.')],
    ['a server error by status', oauth(503, 'invalid_client', 1, 'Busy.')],
    ['a server error by name', oauth(400, 'server_error', 1, 'Oops.')],
    ['429', oauth(429, 'invalid_request', 1, 'Slow down.')],
    ['a page with 200', { status: 200, type: 'text/html', body: '<html>Sign in to the network</html>' }],
    ['a page with 400', { status: 400, type: 'text/html', body: '<html>Bad request</html>' }],
    ['a page with 403', { status: 403, type: 'text/html', body: '<html>Blocked by policy</html>' }],
    ['a page with 407', { status: 407, type: 'text/html', body: '<html>Proxy authentication</html>' }],
    ['a page with 502', { status: 502, type: 'text/html', body: '<html>Bad gateway</html>' }],
    ['JSON of somebody else', { status: 403, type: 'application/json', body: '{"message":"Forbidden"}' }],
    ['nothing', { status: 401, type: 'text/plain', body: '' }],
  ])('%s', async (_what, answer) => {
    const failure = await failureOf(answer);
    expect(failure).toMatchObject({ kind: 'not-sent', upstream: 'token-endpoint' });
    expect(failure.detail).toContain(String(answer.status));
  });

  test('a certificate nobody here trusts · detail and remedy name it, and what to set', async () => {
    const { privateKeyPem, certificatePem } = await createAppCertificate();
    const untrusted = createServer({ key: privateKeyPem, cert: certificatePem }, (_, response) => response.end());
    untrusted.listen(0, 'localhost');
    await once(untrusted, 'listening');
    const token = await tokenFor(SECRET, `https://localhost:${(untrusted.address() as AddressInfo).port}`);
    untrusted.close();
    expect(token).toMatchObject({ ok: false, failure: { kind: 'not-sent', upstream: 'token-endpoint' } });
    const detail = token.ok ? '' : token.failure.detail;
    expect(detail).toMatch(/certificate of localhost/);
    expect(detail).toContain('NODE_EXTRA_CA_CERTS');
    expect(REMEDIES['token-endpoint-unavailable']).toMatch(/certificate.*NODE_EXTRA_CA_CERTS/);
  });
});

describe('a certificate file', () => {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'ignore' });
  const at = (name: string) => join(directory, name);
  const credential = (name: string, password: string | null = null): CredentialConfig => ({
    kind: 'certificate',
    ...IDS,
    certificatePath: at(name),
    password: password === null ? null : toSecret(password),
  });

  beforeAll(async () => {
    const one = await createAppCertificate();
    const other = await createAppCertificate();
    await writeFile(at('plain.key'), one.privateKeyPem);
    openssl('pkcs8', '-topk8', '-in', 'plain.key', '-passout', 'pass:open sesame', '-out', 'pkcs8.key');
    openssl('rsa', '-aes256', '-traditional', '-in', 'plain.key', '-passout', 'pass:open sesame', '-out', 'old.key');
    openssl('rsa', '-traditional', '-in', 'plain.key', '-out', 'pkcs1.key');
    openssl('ecparam', '-genkey', '-name', 'prime256v1', '-noout', '-out', 'ec.key');
    openssl('req', '-x509', '-key', 'ec.key', '-subj', '/CN=ec', '-days', '2', '-out', 'ec.crt');
    const read = (name: string) => readFile(at(name), 'utf8');
    const files: Record<string, string> = {
      'plain.pem': one.privateKeyPem + one.certificatePem,
      'reversed.pem': one.certificatePem + '\n' + one.privateKeyPem,
      'windows.pem': (one.privateKeyPem + one.certificatePem).replaceAll('\n', '\r\n'),
      'pkcs1.pem': (await read('pkcs1.key')) + one.certificatePem,
      'encrypted.pem': (await read('pkcs8.key')) + one.certificatePem,
      'encrypted-old.pem': (await read('old.key')) + one.certificatePem,
      'ec.pem': (await read('ec.key')) + (await read('ec.crt')),
      'no-key.pem': one.certificatePem,
      'no-certificate.pem': one.privateKeyPem,
      'others.pem': one.privateKeyPem + other.certificatePem,
      'empty.pem': '',
      'broken.pem': one.privateKeyPem.replace(/[A-Za-z0-9]{40}/, '!') + one.certificatePem,
      'broken-certificate.pem': one.privateKeyPem + one.certificatePem.replace(/[A-Za-z0-9]{40}/, 'AAAA'),
    };
    await Promise.all(Object.entries(files).map(([name, text]) => writeFile(at(name), text)));
  });

  test.each([
    ['plain.pem', null],
    ['reversed.pem', null],
    ['windows.pem', null],
    ['pkcs1.pem', null],
    ['encrypted.pem', 'open sesame'],
    ['encrypted-old.pem', 'open sesame'],
    ['plain.pem', 'not needed'],
  ])('%s · with password %j · signs in', async (name, password) => {
    reply = TOKEN;
    expect(await tokenFor(credential(name, password))).toMatchObject({ ok: true });
  });

  test.each([
    ['encrypted.pem', null, 'AZURE_CLIENT_CERTIFICATE_PASSWORD'],
    ['encrypted.pem', 'wrong', 'AZURE_CLIENT_CERTIFICATE_PASSWORD does not open'],
    ['encrypted-old.pem', 'wrong', 'AZURE_CLIENT_CERTIFICATE_PASSWORD does not open'],
    ['ec.pem', null, 'RSA'],
    ['no-key.pem', null, 'no private key'],
    ['no-certificate.pem', null, 'no certificate'],
    ['others.pem', null, 'does not belong'],
    ['empty.pem', null, 'no certificate'],
    ['broken.pem', null, 'cannot be read'],
    ['broken-certificate.pem', null, 'cannot be read'],
    ['missing.pem', null, 'ENOENT'],
    ['.', null, 'is a directory'],
  ])('%s · with password %j · is refused here, by its name', async (name, password, problem) => {
    const token = await tokenFor(credential(name, password));
    expect(token).toMatchObject({ ok: false, failure: { kind: 'credential-refused' } });
    const detail = token.ok ? '' : token.failure.detail;
    expect(detail).toContain(`AZURE_CLIENT_CERTIFICATE_PATH ${at(name)}`);
    expect(detail).toContain(problem);
    expect(detail).not.toMatch(/wrong|PRIVATE KEY-----/);
  });
});

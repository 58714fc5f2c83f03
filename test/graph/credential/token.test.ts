// The token source against a real token endpoint: one request for all who ask, early renewal, and what each refusal means.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { CredentialConfig } from '../../../src/config/graph.ts';
import { toSecret } from '../../../src/config/secret.ts';
import { createTokenSource } from '../../../src/graph/credential/token.ts';
import { createSandbox, type Sandbox } from '../../../src/sandbox/sandbox.ts';
import { createAppCertificate } from '../../sandbox/app-certificate.ts';
import { freePort } from '../../support/free-port.ts';
import { startGraph, type GraphWorld } from '../../support/graph.ts';

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'runstate-token-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());

const idsOf = ({ tenantId, clientId }: Sandbox) => ({ tenantId, clientId });
const secretOf = (sandbox: Sandbox): CredentialConfig => ({
  kind: 'secret',
  ...idsOf(sandbox),
  secret: toSecret(sandbox.clientSecret),
});
const claimsOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;

/** A token source whose clock stands where the test puts it. */
async function startTokens(sandboxOptions = {}) {
  const time = { ahead: 0 };
  const graph = await startGraph({ sandbox: sandboxOptions, clock: () => Date.now() + time.ahead });
  return { ...graph, pass: (ms: number) => void (time.ahead += ms) };
}

/** A second source of the same Graph, with another credential. */
const tokensBy = ({ config }: Pick<GraphWorld, 'config'>, credential: CredentialConfig) =>
  createTokenSource({ ...config, credential }, Date.now, () => undefined);

describe('a token', () => {
  test('asked for · is an app token of this tenant for Graph · with the permission in it', async () => {
    await using graph = await startTokens();
    const token = await graph.tokens.get();
    expect(token.ok && claimsOf(token.value)).toMatchObject({
      aud: 'https://graph.microsoft.com',
      tid: graph.sandbox.tenantId,
      appid: graph.sandbox.clientId,
      roles: ['DeviceManagementConfiguration.ReadWrite.All'],
    });
    expect(graph.ended).toEqual([{ operation: 'token', status: 200, durationMs: expect.any(Number) as number }]);
  });

  test('asked for by many at once · is one request · one answer for all', async () => {
    await using graph = await startTokens();
    const tokens = await Promise.all(Array.from({ length: 50 }, () => graph.tokens.get()));
    expect(new Set(tokens.map((token) => token.ok && token.value)).size).toBe(1);
    expect(graph.sandbox.stats().byOperation).toEqual({ discovery: 1, token: 1 });
  });

  test('for many creates at once · is one request', async () => {
    await using graph = await startTokens();
    const states = Array.from({ length: 30 }, (_, n) => graph.state({ deviceName: `device-${n}` }));
    await Promise.all(states.map((state) => graph.create(state)));
    expect(graph.sandbox.stats()).toMatchObject({ tokenRequests: 1, createsApplied: 30 });
  });

  test('held · is given out without asking · until 5 minutes before its end', async () => {
    await using graph = await startTokens();
    const first = await graph.tokens.get();
    graph.pass(3599_000 - 310_000);
    expect(await graph.tokens.get()).toEqual(first);
    expect(graph.sandbox.stats().tokenRequests).toBe(1);
  });

  test('near its end · is renewed · while the old one still serves', async () => {
    await using graph = await startTokens();
    const first = await graph.tokens.get();
    graph.pass(3599_000 - 290_000);
    const asked = new Promise<void>((resolve) =>
      graph.sandbox.subscribe(({ operation }) => operation === 'token' && resolve()),
    );
    graph.sandbox.script('next token: ok in 300 ms');
    expect(await graph.tokens.get()).toEqual(first);
    await asked;
    await expect.poll(() => graph.tokens.get()).not.toEqual(first);
    expect(graph.sandbox.stats().tokenRequests).toBe(2);
  });

  test('an early renewal that fails · leaves the old one in use · and is repeated, but not at every turn', async () => {
    await using graph = await startTokens();
    const first = await graph.tokens.get();
    graph.pass(3599_000 - 60_000);
    graph.sandbox.set({ tokenEndpoint: 'down' });
    expect(await graph.tokens.get()).toEqual(first);
    await expect.poll(() => graph.ended.length).toBe(2);
    graph.sandbox.set({ tokenEndpoint: 'up' });
    for (let turn = 0; turn < 5; turn++) expect(await graph.tokens.get()).toEqual(first);
    expect(graph.ended).toHaveLength(2);
    graph.pass(5001);
    expect(await graph.tokens.get()).toEqual(first);
    await expect.poll(() => graph.tokens.get()).not.toEqual(first);
  });

  test('past its end · is not given out · even where the endpoint fails', async () => {
    await using graph = await startTokens();
    await graph.tokens.get();
    graph.pass(3_600_000);
    graph.sandbox.set({ tokenEndpoint: 'down' });
    expect(await graph.tokens.get()).toMatchObject({ ok: false, failure: { kind: 'not-sent' } });
  });

  test('refused with Retry-After · is not asked for again until then · nor longer than five minutes', async () => {
    await using graph = await startTokens();
    graph.sandbox.script('next token: 429 with Retry-After 30');
    expect(await graph.tokens.get()).toMatchObject({ ok: false, failure: { kind: 'not-sent' } });
    graph.pass(29_000);
    expect(await graph.tokens.get()).toMatchObject({ ok: false, failure: { kind: 'not-sent' } });
    expect(graph.sandbox.stats().tokenRequests).toBe(1);
    graph.pass(2000);
    expect(await graph.tokens.get()).toMatchObject({ ok: true });
    graph.pass(3_600_000);
    graph.sandbox.script('next token: 503 with Retry-After huge');
    expect(await graph.tokens.get()).toMatchObject({ ok: false });
    graph.pass(300_001);
    expect(await graph.tokens.get()).toMatchObject({ ok: true });
  });

  test('refused without Retry-After · is asked for at the next turn', async () => {
    await using graph = await startTokens();
    graph.sandbox.script('next token: 503');
    expect(await graph.tokens.get()).toMatchObject({ ok: false });
    expect(await graph.tokens.get()).toMatchObject({ ok: true });
  });

  test('with a short life · is held for half of it · not asked for each time', async () => {
    await using graph = await startTokens({ tokenLifetimeS: 60 });
    await graph.tokens.get();
    graph.pass(25_000);
    await graph.tokens.get();
    expect(graph.sandbox.stats().tokenRequests).toBe(1);
    graph.pass(25_000);
    await graph.tokens.get();
    await expect.poll(() => graph.sandbox.stats().tokenRequests).toBe(2);
  });

  test('to be refreshed when the endpoint says so · is · before half its life', async () => {
    await using graph = await startTokens({ refreshInS: 600 });
    const first = await graph.tokens.get();
    graph.pass(601_000);
    await graph.tokens.get();
    await expect.poll(() => graph.tokens.get()).not.toEqual(first);
  });
});

describe('a refused token', () => {
  test('renewed · is another one · shared by all that use the same', async () => {
    await using graph = await startTokens();
    const first = await graph.tokens.get();
    const refused = first.ok ? first.value : '';
    const [one, two] = await Promise.all([graph.tokens.renew(refused), graph.tokens.renew(refused)]);
    expect(one).toEqual(two);
    expect(one).not.toEqual(first);
    expect(await graph.tokens.renew(refused)).toEqual(one);
    expect(graph.sandbox.stats().tokenRequests).toBe(2);
  });

  test('forgotten · is not given out again · another’s is', async () => {
    await using graph = await startTokens();
    const first = await graph.tokens.get();
    graph.tokens.forget('another');
    expect(await graph.tokens.get()).toEqual(first);
    graph.tokens.forget(first.ok ? first.value : '');
    expect(await graph.tokens.get()).not.toEqual(first);
  });
});

describe('a token endpoint in trouble', () => {
  test.each([
    ['next token: 503', 503],
    ['next token: 500 as html', 500],
    ['next token: 429 with Retry-After 60', 429],
    ['next token: 503 with Retry-After 3600', 503],
    ['next token: reset', null],
    ['next token: truncated', null],
    ['next discovery: reset', null],
    ['next discovery: 503', null],
  ])(
    '%s · was not sent · and the next try asks again, when it was asked to wait after that',
    async (script, status) => {
      await using graph = await startTokens();
      graph.sandbox.script(script);
      const token = await graph.tokens.get();
      expect(token).toMatchObject({
        ok: false,
        failure: { kind: 'not-sent', upstream: 'token-endpoint', graph: null },
      });
      expect(graph.ended).toMatchObject([{ operation: 'token' }]);
      if (status !== null) expect(graph.ended[0]?.status).toBe(status);
      if (script.includes('Retry-After')) graph.pass(300_001);
      // Not MSAL's lock-out of a minute: one failed request is one request.
      expect((await graph.tokens.get()).ok).toBe(true);
    },
  );

  test('that never answers · is given up after 10 s · and asked again', async () => {
    await using graph = await startTokens();
    graph.sandbox.script('next token: hang');
    expect(await graph.tokens.get()).toMatchObject({
      ok: false,
      failure: { kind: 'not-sent', upstream: 'token-endpoint' },
    });
    expect(graph.ended[0]?.durationMs).toBeLessThan(15_000);
    expect((await graph.tokens.get()).ok).toBe(true);
  });

  test.each([
    ['a port nobody listens on', async () => `https://localhost:${await freePort()}`],
    ['a name that does not exist', () => Promise.resolve('https://login.runstate.invalid')],
  ])('that cannot be reached · %s · was not sent', async (_what, address) => {
    await using graph = await startGraph({ config: { authorityHost: await address() } });
    expect(await graph.create(graph.state())).toMatchObject({ kind: 'not-sent', upstream: 'token-endpoint' });
    expect(graph.sandbox.requests()).toEqual([]);
  });

  test('whose certificate nobody here trusts · was not sent · and is not the credential’s fault', async () => {
    const untrusted = await createSandbox();
    await using graph = await startGraph({ config: { authorityHost: untrusted.authorityHost } });
    const token = await graph.tokens.get();
    await untrusted.close();
    expect(token).toMatchObject({ ok: false, failure: { kind: 'not-sent', upstream: 'token-endpoint' } });
  });
});

describe('a refused credential', () => {
  test.each<[what: string, change: (graph: Awaited<ReturnType<typeof startTokens>>) => Partial<CredentialConfig>]>([
    ['a wrong secret', () => ({ kind: 'secret', secret: toSecret('wrong~secret') })],
    ['an app nobody knows', () => ({ clientId: '00000000-0000-4000-8000-000000000000' })],
    [
      'a certificate that is not there',
      () => ({ kind: 'certificate', certificatePath: '/nonexistent/app.pem', password: null }),
    ],
    ['a federated token that is not there', () => ({ kind: 'federated', tokenFilePath: '/nonexistent/token' })],
  ])('%s · is told apart from trouble · without the secret', async (_what, change) => {
    await using graph = await startTokens();
    const credential = { ...secretOf(graph.sandbox), ...change(graph) } as CredentialConfig;
    const tokens = tokensBy(graph, credential);
    const token = await tokens.get();
    expect(token).toMatchObject({ ok: false, failure: { kind: 'credential-refused', graph: null } });
    expect(JSON.stringify(token)).not.toMatch(/wrong~secret|sandbox~only/);
  });

  test('scripted invalid_client · is refused · and taken when the endpoint takes it again', async () => {
    await using graph = await startTokens();
    graph.sandbox.script('next token: invalid_client');
    expect(await graph.tokens.get()).toMatchObject({ ok: false, failure: { kind: 'credential-refused' } });
    expect(graph.ended).toMatchObject([{ operation: 'token', status: 401 }]);
    expect((await graph.tokens.get()).ok).toBe(true);
  });
});

describe('a credential in a file', () => {
  test('a certificate · signs in · and one rotated on disk is read after a failure', async () => {
    await using graph = await startTokens();
    const certificatePath = join(directory, 'app.pem');
    const [old, rotated] = await Promise.all([createAppCertificate(), createAppCertificate()]);
    await writeFile(certificatePath, old.privateKeyPem + old.certificatePem);
    graph.sandbox.set({ certificates: [old.certificatePem] });
    const tokens = tokensBy(graph, { kind: 'certificate', ...idsOf(graph.sandbox), certificatePath, password: null });
    const first = await tokens.get();
    expect(first.ok).toBe(true);

    graph.sandbox.set({ certificates: [rotated.certificatePem] });
    const refused = await tokens.renew(first.ok ? first.value : '');
    expect(refused).toMatchObject({ ok: false, failure: { kind: 'credential-refused' } });
    await writeFile(certificatePath, rotated.privateKeyPem + rotated.certificatePem);
    expect((await tokens.get()).ok).toBe(true);
  });

  test('a certificate being written · is refused for now · and read when it is whole', async () => {
    await using graph = await startTokens();
    const certificatePath = join(directory, 'half.pem');
    const app = await createAppCertificate();
    await writeFile(certificatePath, app.privateKeyPem);
    graph.sandbox.set({ certificates: [app.certificatePem] });
    const tokens = tokensBy(graph, { kind: 'certificate', ...idsOf(graph.sandbox), certificatePath, password: null });
    expect(await tokens.get()).toMatchObject({ ok: false, failure: { kind: 'credential-refused' } });
    await writeFile(certificatePath, app.privateKeyPem + app.certificatePem);
    expect((await tokens.get()).ok).toBe(true);
  });

  test('a secret · signs in · and one rotated on disk is read for the next token', async () => {
    await using graph = await startGraph();
    const secretPath = join(await mkdtemp(join(tmpdir(), 'runstate-secret-')), 'secret');
    await writeFile(secretPath, `${graph.sandbox.clientSecret}\n`);
    const { tenantId, clientId } = graph.sandbox;
    const tokens = tokensBy(graph, { kind: 'secret-file', tenantId, clientId, secretPath });
    const first = await tokens.get();
    expect(first.ok).toBe(true);
    graph.sandbox.set({ secrets: ['the next secret'] });
    expect(await tokens.renew(first.ok ? first.value : '')).toMatchObject({ failure: { kind: 'credential-refused' } });
    await writeFile(secretPath, 'the next secret');
    expect((await tokens.get()).ok).toBe(true);
  });

  test('a federated token · signs in · and is read again for a new token', async () => {
    await using graph = await startTokens();
    const tokenFilePath = join(directory, 'federated');
    await writeFile(tokenFilePath, 'first-assertion');
    graph.sandbox.set({ federatedTokens: ['first-assertion'] });
    const credential: CredentialConfig = { kind: 'federated', ...idsOf(graph.sandbox), tokenFilePath };
    const tokens = tokensBy(graph, credential);
    const first = await tokens.get();
    expect(first.ok).toBe(true);
    await writeFile(tokenFilePath, 'second-assertion');
    graph.sandbox.set({ federatedTokens: ['second-assertion'] });
    expect((await tokens.renew(first.ok ? first.value : '')).ok).toBe(true);
  });
});

describe('a managed identity', () => {
  test('over plain HTTP on the machine · signs in and creates · and gets a new token once the old one is refused', async () => {
    await using graph = await startGraph({ config: { credential: { kind: 'managed-identity', clientId: null } } });
    vi.stubEnv('IDENTITY_ENDPOINT', graph.sandbox.managedIdentity.endpoint);
    vi.stubEnv('IDENTITY_HEADER', graph.sandbox.managedIdentity.header);
    expect(await graph.create(graph.state())).toMatchObject({ kind: 'created' });
    // MSAL remembers the endpoint for the whole process, so the story of one is told in one test.
    graph.sandbox.set({ tokens: 'revoked' });
    expect(await graph.create(graph.state())).toMatchObject({ kind: 'created' });
    expect(graph.sandbox.stats()).toMatchObject({ tokenRequests: 0, createsApplied: 2 });
  });
});

test('no credential · is refused · never by an exception', async () => {
  await using graph = await startGraph({ config: { credential: null } });
  expect(await graph.create(graph.state())).toMatchObject({ detail: 'no credential is configured' });
});

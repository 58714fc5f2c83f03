// The bridge below a path: routes, signatures, Location, links and pages, whether the proxy takes the path off or not.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { OPERATOR_TOKEN, startListeningApp, type ListeningApp } from '../../support/app.ts';
import { runResult, sign } from '../../support/device.ts';
import { send } from '../../support/raw-http.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';

const BODY = JSON.stringify(runResult());
const PASSWORD = { Authorization: `Basic ${Buffer.from(`x:${OPERATOR_TOKEN}`).toString('base64')}` };

let redis: TestRedis;
/** By name: the same service under different settings. */
const doors: Record<string, ListeningApp> = {};

async function open(name: string, env: Record<string, string>): Promise<void> {
  doors[name] = await startListeningApp(redis, { env });
}

beforeAll(async () => {
  redis = await startTestRedis('--appendfsync', 'no');
  await open('root', {});
  await open('bios', { PUBLIC_BASE_PATH: '/bios' });
  await open('deep', { PUBLIC_BASE_PATH: '/eu/bios/' });
  await open('like ours', { PUBLIC_BASE_PATH: '/v1' });
  await open('told', { TRUSTED_PROXIES: '127.0.0.1' });
  await open('told otherwise', { TRUSTED_PROXIES: '127.0.0.1', PUBLIC_BASE_PATH: '/bios' });
  await open('told by a stranger', { TRUSTED_PROXIES: '10.0.0.1' });
});
beforeEach(() => redis.client.flushall());
afterAll(async () => {
  for (const door of Object.values(doors)) await door.close();
  await redis.close();
});

const port = (door: string) => doors[door]?.port ?? 0;

/** Asks at one path with the signature for another. */
const submit = (door: string, path: string, signedPath: string, headers: Record<string, string | string[]> = {}) =>
  send({
    port: port(door),
    method: 'POST',
    path,
    headers: { 'Content-Type': 'application/json', ...sign({ body: BODY, path: signedPath }), ...headers },
    body: BODY,
  });

describe('PUBLIC_BASE_PATH', () => {
  test.each([
    ['bios', '/bios'],
    ['deep', '/eu/bios'],
    ['like ours', '/v1'],
  ])(
    '%s · a run result at the path and at the root, signed for either · is stored, and found where Location says',
    async (door, base) => {
      const route = '/v1/run-results';
      for (const asked of [`${base}${route}`, route]) {
        for (const signed of [`${base}${route}`, route]) {
          const answer = await submit(door, asked, signed);
          expect([asked, signed, answer.status]).toEqual([asked, signed, redisIsEmptyAt(asked, signed) ? 202 : 200]);
          const { deliveryId } = answer.body as { deliveryId: string };
          expect(answer.headers['location']).toBe(`${base}/v1/deliveries/${deliveryId}`);
          const location = String(answer.headers['location']);
          for (const path of [location, location.slice(base.length)]) {
            const read = await send({
              port: port(door),
              method: 'GET',
              path: location,
              headers: sign({ method: 'GET', path, body: null }),
            });
            expect(read).toMatchObject({ status: 200, body: { deliveryId } });
          }
        }
      }
      function redisIsEmptyAt(asked: string, signed: string): boolean {
        return asked === `${base}${route}` && signed === asked;
      }
    },
  );

  test.each([
    ['/other/v1/run-results', '/other/v1/run-results', 404],
    ['/biosx/v1/run-results', '/biosx/v1/run-results', 404],
    ['/BIOS/v1/run-results', '/BIOS/v1/run-results', 404],
    ['/bios/bios/v1/run-results', '/bios/bios/v1/run-results', 404],
    ['/bios/v1/run-results', '/other/v1/run-results', 401],
    ['/bios/v1/run-results', '/v1/run-results/batch', 401],
    ['/v1/run-results', '/bios', 401],
    ['/bios', '/bios', 404],
    ['/bios/', '/bios/', 404],
    ['/bios?x=1', '/bios', 404],
  ])('%s, signed for %s · is no address of ours', async (asked, signed, status) => {
    expect((await submit('bios', asked, signed)).status).toBe(status);
    expect(await redis.countStored()).toBe(0);
  });

  test('without it · a path before ours · is nothing', async () => {
    expect((await submit('root', '/bios/v1/run-results', '/bios/v1/run-results')).status).toBe(404);
    expect((await submit('root', '/v1/run-results', '/bios/v1/run-results')).status).toBe(401);
  });

  test('an absolute address, as proxies may send it · is below the path too', async () => {
    const url = 'http://bridge.example/bios/v1/run-results';
    expect((await submit('bios', url, '/bios/v1/run-results')).status).toBe(202);
    expect((await submit('bios', url, '/v1/run-results')).status).toBe(200);
  });

  test.each([
    '/livez',
    '/readyz',
    '/metrics',
    '/docs',
    '/docs/',
    '/docs/start.js',
    '/dashboard',
    '/dashboard/page.js',
    '/dashboard/queues',
    '/v1/status',
    '/v1/dead-letters?limit=1',
  ])('%s · is served at the path and at the root', async (route) => {
    for (const path of [route, `/bios${route}`]) {
      const authorization = route.startsWith('/v1') ? { Authorization: `Bearer ${OPERATOR_TOKEN}` } : PASSWORD;
      const answer = await fetch(`http://127.0.0.1:${port('bios')}${path}`, { headers: authorization });
      expect([path, answer.status]).toEqual([path, 200]);
    }
  });

  test('openapi.json · names the path as its server · and without one the place where it is', async () => {
    const servers = async (door: string) => {
      const answer = await send({ port: port(door), method: 'GET', path: '/openapi.json' });
      return (answer.body as { servers: unknown }).servers;
    };
    expect(await servers('bios')).toEqual([{ url: '/bios' }]);
    expect(await servers('root')).toEqual([{ url: '.' }]);
  });
});

describe('X-Forwarded-Prefix', () => {
  const route = '/v1/run-results';
  const locationOf = async (door: string, prefix: string | string[], asked = route, signed = asked) => {
    const answer = await submit(door, asked, signed, { 'X-Forwarded-Prefix': prefix });
    return answer.status < 300 ? String(answer.headers['location']).replace(/\/v1\/deliveries\/.*/, '') : answer.status;
  };

  test.each<[string, string | string[], string]>([
    ['one', '/bios', '/bios'],
    ['one with a slash', '/bios/', '/bios'],
    ['several', '/eu, /bios', '/eu/bios'],
    ['several, each for itself', ['/eu', '/bios'], '/eu/bios'],
    ['none but the root', '/', ''],
  ])('%s, of a trusted proxy · is before what is linked · and may be signed', async (_how, prefix, base) => {
    expect(await locationOf('told', prefix)).toBe(base);
    expect(await locationOf('told', prefix, route, `${base}${route}`)).toBe(base);
    expect(await locationOf('told', prefix, `${base}${route}`, route)).toBe(base);
  });

  test('with scheme and host as the proxy saw them · the whole address that a device signed · is computed', async () => {
    const uri = 'https://bridge.example/bios/v1/run-results';
    const signature = sign({
      body: BODY,
      path: `/bios${route}`,
      components: '"@method" "@path" "content-digest" "@target-uri" "@request-target"',
      values: { '"@target-uri"': uri, '"@request-target"': `/bios${route}` },
    });
    const forwarded = { 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'bridge.example' };
    const headers = { 'Content-Type': 'application/json', ...signature, ...forwarded, 'X-Forwarded-Prefix': '/bios' };
    expect((await send({ port: port('told'), method: 'POST', path: route, headers, body: BODY })).status).toBe(202);
    expect(
      (await send({ port: port('told'), method: 'POST', path: `/bios${route}`, headers, body: BODY })).status,
    ).toBe(200);
    expect(
      (await send({ port: port('told by a stranger'), method: 'POST', path: route, headers, body: BODY })).status,
    ).toBe(401);
  });

  test('beside PUBLIC_BASE_PATH · wins for what is linked · and either may be signed', async () => {
    expect(await locationOf('told otherwise', '/eu')).toBe('/eu');
    expect(await locationOf('told otherwise', '/eu', route, `/eu${route}`)).toBe('/eu');
    expect(await locationOf('told otherwise', '/eu', route, `/bios${route}`)).toBe('/eu');
    expect(await locationOf('told otherwise', '/eu', `/bios${route}`, `/bios${route}`)).toBe('/eu');
  });

  test.each(['//evil.example', 'https://evil.example', '/a/../b', '/"><script>', 'bios', '/a b', ''])(
    '%s · is no path · and changes nothing',
    async (prefix) => {
      expect(await locationOf('told', prefix)).toBe('');
      expect(await locationOf('told otherwise', prefix)).toBe('/bios');
    },
  );

  test('of a stranger · is not heard · neither for links nor for signatures', async () => {
    expect(await locationOf('told by a stranger', '/bios')).toBe('');
    expect(await locationOf('told by a stranger', '/bios', route, `/bios${route}`)).toBe(401);
    expect(await locationOf('told by a stranger', '/bios', `/bios${route}`)).toBe(404);
  });

  test('the raw view of the queue · has its base below it · and openapi.json its server', async () => {
    const ask = (path: string) =>
      fetch(`http://127.0.0.1:${port('told')}${path}`, { headers: { ...PASSWORD, 'X-Forwarded-Prefix': '/eu/bios' } });
    expect(await (await ask('/dashboard/queues')).text()).toContain('<base href="/eu/bios/dashboard/queues/" />');
    expect(await (await ask('/openapi.json')).json()).toMatchObject({ servers: [{ url: '/eu/bios' }] });
  });
});

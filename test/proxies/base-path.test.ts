// The bridge below a path of a real proxy, which takes the path off or leaves it: every command, devices, and the pages in a browser.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { deriveDeviceKey } from '../../src/domain/submission/device-key.ts';
import { OPERATOR_TOKEN, startListeningApp, type ListeningApp } from '../support/app.ts';
import { chromiumPath, openPage, startBrowser, titled as needsBrowser } from '../support/browser.ts';
import { runCli } from '../support/cli.ts';
import { CONFIGURATION_ID, DEVICE_ID, GROUP_KEY, runResult, sign } from '../support/device.ts';
import { PROXIES, startHaproxy, startNginx, titled, type Proxy } from '../support/proxies.ts';
import { send } from '../support/raw-http.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';

const BASE = { PUBLIC_BASE_PATH: '/bios' };

let redis: TestRedis;
let world: ListeningApp;
let proxy: Proxy;

const nginx = (location: string, pass: string) => (to: number) =>
  startNginx(
    (port) => `
      server {
        listen 127.0.0.1:${port};
        location ${location} {
          proxy_pass http://127.0.0.1:${to}${pass};
          proxy_set_header Host $http_host;
          proxy_set_header X-Forwarded-Prefix /bios;
        }
      }`,
  );
const haproxy = (rule: string) => (to: number) =>
  startHaproxy(
    (port) => `
frontend in
  bind 127.0.0.1:${port}
  ${rule}
  default_backend bridge
backend bridge
  server api 127.0.0.1:${to}`,
  );

const WAYS: [keyof typeof PROXIES, string, (to: number) => Promise<Proxy>, Record<string, string>][] = [
  ['nginx', 'takes the path off', nginx('/bios/', '/'), BASE],
  ['nginx', 'leaves the path', nginx('/bios/', ''), BASE],
  ['nginx', 'takes the path off, and says so', nginx('/bios/', '/'), { TRUSTED_PROXIES: '127.0.0.1' }],
  ['haproxy', 'takes the path off', haproxy('http-request replace-path /bios(/.*) \\1'), BASE],
  ['haproxy', 'leaves the path', haproxy(''), BASE],
];

beforeAll(async () => {
  redis = await startTestRedis('--appendfsync', 'no');
});
afterAll(() => redis.close());

async function openBehind(start: (to: number) => Promise<Proxy>, env: Record<string, string>): Promise<void> {
  await redis.client.flushall();
  world = await startListeningApp(redis, { env });
  proxy = await start(world.port);
}

async function close(): Promise<void> {
  await proxy.close();
  await world.close();
}

const cli = (...args: string[]) =>
  runCli([...args, '--url', `${proxy.url}/bios`], {
    env: {
      OPERATOR_TOKEN,
      DEVICE_GROUP_KEYS: GROUP_KEY,
      DEVICE_KEY: deriveDeviceKey(Buffer.from(GROUP_KEY, 'base64'), DEVICE_ID).toString('base64'),
    },
  });

describe.each(WAYS)('%s %s', (name, _how, start, env) => {
  describe.skipIf(!PROXIES[name])(titled(name, 'before a bridge below a path'), () => {
    beforeEach(() => openBehind(start, env));
    afterEach(close);

    test('a device that signs what it asks, or the route alone · is known · and reads what Location names', async () => {
      for (const signedPath of ['/bios/v1/run-results', '/v1/run-results']) {
        const body = JSON.stringify(runResult({ runId: signedPath.replaceAll('/', '-') }));
        const headers = { 'Content-Type': 'application/json', ...sign({ body, path: signedPath }) };
        const answer = await send({ port: proxy.port, method: 'POST', path: '/bios/v1/run-results', headers, body });
        expect(answer.status).toBe(202);
        const location = String(answer.headers['location']);
        expect(location).toMatch(/^\/bios\/v1\/deliveries\//);
        const signature = sign({ method: 'GET', path: location, body: null });
        expect(await send({ port: proxy.port, method: 'GET', path: location, headers: signature })).toMatchObject({
          status: 200,
          body: { deliveryId: (answer.body as { deliveryId: string }).deliveryId },
        });
      }
    });

    test('every command with --url · finds its routes there', async () => {
      const run = [
        '--device-name',
        'PC',
        '--configuration',
        CONFIGURATION_ID,
        '--policy-version',
        '1',
        '--exit-code',
        '0',
      ];
      const reported = await cli('report', '--device-id', DEVICE_ID, '--run-id', 'run-by-command', ...run);
      expect(reported).toMatchObject({ code: 0 });
      const { deliveryId } = JSON.parse(reported.stdout) as { deliveryId: string };
      const [simulated, benched, status, letters, replayed, explained, revoked, listed] = await Promise.all([
        cli('simulate', '--devices', '3', '--rate', '50', '--json'),
        cli('bench', '--seconds', '1', '--warm-up', '0', '--connections', '1', '--yes', '--json'),
        cli('status'),
        cli('dead-letters'),
        cli('replay', '--all', '--dry-run'),
        cli('explain', deliveryId),
        cli('device', 'revoke', 'another-device'),
        cli('device', 'list'),
      ]);
      expect({ simulated }).toMatchObject({ simulated: { code: 0 } });
      expect(JSON.parse(simulated.stdout)).toMatchObject({ accepted: 3 });
      expect({ benched, status, letters, replayed, explained, revoked, listed }).toMatchObject({
        benched: { code: 0 },
        // No fsync in this test: degraded.
        status: { code: expect.toBeOneOf([0, 4]) as number, stderr: '' },
        letters: { code: 0, stdout: 'No dead letters.\n' },
        replayed: { code: 0 },
        explained: { code: 0, stdout: expect.stringContaining(deliveryId) as string },
        revoked: { code: 0 },
        listed: { code: 0 },
      });
    }, 60_000);
  });
});

describe.skipIf(chromiumPath === null || !PROXIES.nginx)(needsBrowser('pages below a path of nginx'), () => {
  const [takesOff, leaves] = [nginx('/bios/', '/'), nginx('/bios/', '')];

  test.each([
    ['taken off', takesOff],
    ['left', leaves],
  ])(
    'with the path %s · dashboard, raw view and docs · load all they are made of',
    async (_how, start) => {
      await openBehind(start, BASE);
      const browser = await startBrowser();
      const { page, complaints } = await openPage(browser, OPERATOR_TOKEN);
      try {
        const missing: string[] = [];
        page.on('response', (response) => {
          if (response.status() >= 400 && response.status() !== 401) missing.push(response.url());
          if (!response.url().startsWith(`${proxy.url}/bios/`)) missing.push(`not below: ${response.url()}`);
        });
        await page.goto(`${proxy.url}/bios/dashboard/`);
        expect(page.url()).toBe(`${proxy.url}/bios/dashboard`);
        await page.locator('#live[data-state="live"]').waitFor();
        await page.getByRole('link', { name: 'Raw view of the queue' }).click();
        await page.getByText('deliveries', { exact: false }).first().waitFor();
        expect(page.url()).toContain(`${proxy.url}/bios/dashboard/queues`);
        await page.goto(`${proxy.url}/bios/dashboard`);
        await page.getByRole('link', { name: 'API' }).click();
        await page.getByText('/v1/run-results', { exact: true }).first().waitFor();
        expect(missing).toEqual([]);
        expect(complaints).toEqual([]);
      } finally {
        await browser.close();
        await close();
      }
    },
    60_000,
  );
});

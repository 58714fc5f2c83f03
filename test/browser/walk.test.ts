// A walk through an outage with the page alone: permission taken away, told why and what to do, given back, one result explained.
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts';
import { OPERATOR_TOKEN } from '../support/app.ts';
import { chromiumPath, openPage, startBrowser, takePicture, titled, type OpenedPage } from '../support/browser.ts';
import { GROUP_KEY, runResult, sign } from '../support/device.ts';
import { trustedTlsDirectory } from '../support/graph.ts';
import { startApi, startProcess, type TestProcess } from '../support/process.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

/** Some seconds' work at this pace. */
const DEVICES = 200;
const WRITES_PER_20S = '400';
const UNKNOWN_CONFIGURATION = '11111111-2222-3333-4444-555555555555';

let redis: TestRedis;
let sandbox: Sandbox;
let api: TestProcess;
let worker: TestProcess;
let url: string;
let browser: Browser;
let opened: OpenedPage;

describe.skipIf(chromiumPath === null)(titled('an outage, seen on the operators’ page'), () => {
  beforeAll(async () => {
    redis = await startTestRedis();
    sandbox = await createSandbox({
      tlsDirectory: trustedTlsDirectory(),
      latencyMs: [20, 60],
      limiter: { writesPer20s: 100_000 },
    });
    const env = {
      ...sandbox.environment(),
      REDIS_URL: redis.url,
      DEVICE_GROUP_KEYS: GROUP_KEY,
      OPERATOR_TOKEN,
      GRAPH_WRITES_PER_20S: WRITES_PER_20S,
      HOLD_PROBE_MS: '1000',
    };
    ({ api, url } = await startApi(env));
    worker = startProcess('workers/main.ts', { HOST: '127.0.0.1', WORKER_PORT: '0', ...env });
    await worker.line('working');
    browser = await startBrowser();
    opened = await openPage(browser, OPERATOR_TOKEN, { viewport: { width: 1100, height: 860 } });
  });
  afterAll(async () => {
    await browser.close();
    await Promise.all([api.close(), worker.close()]);
    await sandbox.close();
    await redis.close();
  });

  async function report(deviceId: string, hardwareConfigurationId = sandbox.configurationIds[0]): Promise<void> {
    const run = { deviceId, deviceName: deviceId, runId: `run-of-${deviceId}`, hardwareConfigurationId };
    const body = JSON.stringify(runResult(run));
    const headers = { 'Content-Type': 'application/json', ...sign({ body, deviceId }) };
    const answer = await fetch(`${url}/v1/run-results`, { method: 'POST', headers, body });
    expect(answer.status).toBe(202);
  }

  async function set(changes: object): Promise<void> {
    const answer = await fetch(`${sandbox.controlUrl}/set`, { method: 'POST', body: JSON.stringify(changes) });
    expect(answer.status).toBe(204);
  }

  test('a permission taken away · is shown with its remedy · and given back, a result explains itself', async () => {
    const { page, complaints } = opened;
    const headline = (name: string) => page.getByRole('heading', { name }).waitFor();
    await page.goto(`${url}/dashboard`);
    await headline('All delivered: nothing waits');

    await report('LAPTOP-0007', UNKNOWN_CONFIGURATION);
    await Promise.all(Array.from({ length: DEVICES }, (_, index) => report(`PC-${index}`)));
    await headline('Results flow');
    await page.getByRole('row', { name: /graph-404/ }).waitFor();
    await until('much goes out', async () => Number(await page.locator('#out').innerText()) > 6, 15_000);
    await takePicture(page, 'dashboard-flowing');

    await set({ permission: 'taken-away' });
    await set({ tokens: 'revoked' });
    await headline('Held: nobody calls Graph');
    const shown = await page.locator('#outlook').innerText();
    expect(shown).toContain('It must have one of: DeviceManagementConfiguration.ReadWrite.All');
    expect(shown).toMatch(/What to do: Grant the app registration the application permission .* with admin consent/);
    expect(shown).toMatch(/forbidden, since \d\d:\d\d:\d\d/);

    await report('LAPTOP-0042');
    await page.getByLabel('Device id, run id or delivery id').fill('LAPTOP-0042');
    await page.getByRole('button', { name: 'Explain' }).click();
    const found = page.locator('#found');
    await found.getByText('The end of the hold “forbidden”, which concerns every delivery.').waitFor();
    await takePicture(page, 'dashboard-held');

    await set({ permission: 'granted' });
    await headline('Results flow');
    await headline('Nothing waits, but some gave up');
    await found.getByText('Delivered: Graph has it.').waitFor();
    expect(await found.innerText()).toMatch(/accepted: run run-of-LAPTOP-0042.*created in Graph.*Nothing: it is done/s);
    expect(sandbox.records().filter(({ deviceName }) => deviceName === 'LAPTOP-0042')).toHaveLength(1);

    await page.getByLabel('Device id, run id or delivery id').fill('LAPTOP-0007');
    await page.keyboard.press('Enter');
    await found.getByText('given up (graph-404)').first().waitFor();
    expect(await found.innerText()).toContain('The hardware configuration does not exist in this tenant');
    await page.emulateMedia({ colorScheme: 'dark' });
    await takePicture(page, 'dashboard-explained');
    expect(complaints).toEqual([]);
  }, 90_000);
});

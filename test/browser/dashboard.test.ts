// The operators' page in a real browser: light and dark, on a phone, by keyboard alone, and while the service is away.
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { listen, type Listener } from '../../src/http/server.ts';
import { holdAll } from '../support/hold.ts';
import { OPERATOR_TOKEN, startTestApp, untilConnected, type TestApp } from '../support/app.ts';
import { chromiumPath, openPage, startBrowser, takePicture, titled, type OpenedPage } from '../support/browser.ts';
import { conclusionOf, created, rejected } from '../support/outcomes.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';
import { aRun } from '../support/tenant.ts';
import { findFaults, readFocus, watchShifts } from './page-checks.ts';

const PHONE = { viewport: { width: 375, height: 740 }, hasTouch: true, isMobile: true };

let redis: TestRedis;
let browser: Browser;
let world: TestApp;
let listener: Listener;
let opened: OpenedPage;

describe.skipIf(chromiumPath === null)(titled('the operators’ page'), () => {
  beforeAll(async () => {
    redis = await startTestRedis();
    browser = await startBrowser();
  });
  afterAll(async () => {
    await browser.close();
    await redis.close();
  });
  beforeEach(async () => {
    await redis.client.flushall();
    world = await startTestApp(redis);
    await untilConnected(world);
    await serve(0);
  });
  afterEach(async () => {
    await opened.close();
    await listener.close();
    await world.close();
  });

  async function serve(port: number): Promise<void> {
    listener = await listen(world.app, { host: '127.0.0.1', port, onRefused: () => undefined });
  }

  async function open(options: BrowserContextOptions = {}, path = '/dashboard'): Promise<Page> {
    opened = await openPage(browser, OPERATOR_TOKEN, options);
    await opened.page.goto(`http://127.0.0.1:${listener.port}${path}`);
    return opened.page;
  }

  const isLive = (page: Page) => page.locator('#live[data-state=live]').waitFor();
  const end = (run: string, outcome = created(`record-${run}`)) =>
    conclusionOf({
      tenant: world.tenant,
      run: aRun(run),
      outcome,
      instants: { acceptedAt: Date.now() - 3000, now: Date.now() },
    });

  async function fill(): Promise<void> {
    for (const run of ['1', '2', '3']) await end(run);
    for (const run of ['4', '5']) await end(run, rejected(404));
    await end('6', rejected(413));
    await world.tenant.deliveries.accept(aRun('7'), Date.now() - 5000);
  }

  test('what others wrote · shows its bidirectional and invisible characters · in the headline’s reason and a result', async () => {
    const text = 'No \u202Eneddibrof\u202C\u200B\u001B[31m';
    const shown = 'No \\u202eneddibrof\\u202c\\u200b\\u001b[31m';
    await holdAll(world.tenant.budget, 'forbidden', text);
    const { id } = await end('8', rejected(404, text));
    const page = await open({}, `/dashboard?find=${id}`);
    await page.getByText(shown).nth(1).waitFor();
    expect(await page.locator('#why').textContent()).toContain(shown);
    expect(await page.locator('#found').textContent()).toContain(shown);
    expect(await page.locator('body').textContent()).not.toMatch(/\p{Cf}|[^\n\P{Cc}]/u);
  });

  test.each(['light', 'dark'] as const)(
    '%s · everything can be read and has a name · held and found',
    async (colorScheme) => {
      await fill();
      await holdAll(world.tenant.budget, 'forbidden', '403 Forbidden: no permission');
      const page = await open({ colorScheme }, '/dashboard?find=device-7');
      await isLive(page);
      await page.getByText('What it waits for').waitFor();
      expect(await findFaults(page)).toEqual([]);
      expect(await page.title()).toBe('⚠ Held: nobody calls Graph – runstate-bridge');
      expect(opened.complaints).toEqual([]);
    },
  );

  test.each(['light', 'dark'] as const)(
    '%s · everything can be read · also when all is well or throttled',
    async (colorScheme) => {
      const page = await open({ colorScheme });
      await page.getByRole('heading', { name: 'All delivered' }).waitFor();
      expect(await findFaults(page)).toEqual([]);
      await world.tenant.deliveries.accept(aRun('1'), Date.now());
      await world.tenant.budget.throttle({ kind: 'write', isProbe: false, retryAfterMs: 60_000, random: 0 });
      await page.getByRole('heading', { name: 'Graph asked everyone to wait' }).waitFor();
      expect(await findFaults(page)).toEqual([]);
    },
  );

  test('a phone · shows all of it · nothing beside the screen', async () => {
    await fill();
    await holdAll(world.tenant.budget, 'forbidden', 'needs DeviceManagementConfiguration.ReadWrite.All');
    const page = await open(PHONE, '/dashboard?find=device-7');
    await isLive(page);
    await page.getByText('What it waits for').waitFor();
    expect(await findFaults(page)).toEqual([]);
  });

  test('figures and tables · show what is there · in words and with units', async () => {
    await fill();
    const page = await open();
    await isLive(page);
    const text = async (selector: string) => (await page.locator(selector).innerText()).replaceAll(/\s+/g, ' ');
    expect(await text('#figures > div:nth-child(3)')).toMatch(/^Waiting 1 result the oldest for \d+(\.\d)? s$/);
    expect(await text('#figures > div:nth-child(5)')).toMatch(/^Graph’s budget 5 writes \/ s \d+ % used$/);
    expect(await text('#figures > div:nth-child(6)')).toBe('Dead letters 3 given up by cause');
    expect(await text('#causes')).toMatch(/^graph-404 2 .* The hardware configuration does not exist .* graph-413 1 /);
    expect(await page.locator('#latest tr').first().innerText()).toMatch(
      /device-6\s+given up \(graph-413\)\s+.*\s+3 s/,
    );
    expect(await page.locator('#slowest tr').count()).toBe(3);
    expect(await page.locator('#open-chart').getAttribute('aria-label')).toBe('Results waiting: now 1, at most 1');
  });

  describe('the last 30 days', () => {
    const OTHER = '99999999-2222-4333-8444-555555555555';
    const today = () => new Date().toISOString().slice(0, 10);
    const hasRead = (page: Page) => page.getByText('accepted in the last 7 days').waitFor();

    async function fillDays(): Promise<void> {
      await fill();
      await world.tenant.deliveries.accept(aRun('9', { hardwareConfigurationId: OTHER, exitCode: 1 }), Date.now());
    }

    test.each(['light', 'dark'] as const)(
      '%s · are charts, and the same as a table · of all configurations or the one chosen',
      async (colorScheme) => {
        await fillDays();
        const page = await open({ colorScheme });
        await hasRead(page);
        const inWords = (chart: string) => page.locator(`#${chart}-chart`).getAttribute('aria-label');
        expect(await inWords('outcomes')).toBe(
          'What became of results, 30 days together: 3 delivered, 2 open, 3 given up',
        );
        expect(await inWords('states')).toBe('What devices reported, 30 days together: 7 success, 1 fail');
        expect(await inWords('latency')).toBe(
          `From acceptance to Graph, by day; latest, of ${today()}: median 2.9 s, 99 % within 2.9 s`,
        );
        await page.getByText('The same as a table').click();
        const row = page.locator('#days tr', { hasText: today() });
        expect((await row.innerText()).split(/\s+/).slice(1, 12)).toEqual([
          '8',
          '3',
          '0',
          '2',
          '3',
          '7',
          '0',
          '0',
          '0',
          '0',
          '1',
        ]);
        expect(await page.locator('#days tr').count()).toBe(30);
        expect(await findFaults(page)).toEqual([]);

        const choice = page.getByLabel('Hardware configuration');
        expect(await choice.locator('option').allInnerTexts()).toEqual(['All', aRun(1).hardwareConfigurationId, OTHER]);
        await choice.selectOption(OTHER);
        await page.getByText('1 accepted in the last 7 days').waitFor();
        expect(await inWords('outcomes')).toBe('What became of results, 30 days together: 1 open');
        expect(await inWords('latency')).toBe('From acceptance to Graph, by day; none');
        expect(opened.complaints).toEqual([]);
      },
    );

    test('a reader far from Greenwich · points at a bar · and reads its day in UTC and its part alone', async () => {
      await fillDays();
      const page = await open({ timezoneId: 'Pacific/Honolulu' });
      await hasRead(page);
      const plot = page.locator('#outcomes-chart .u-over');
      const { width, height } = (await plot.boundingBox()) ?? { width: 0, height: 0 };
      await plot.hover({ position: { x: width - width / 60, y: height / 2 } });
      const legend = page.locator('#outcomes-chart .u-legend');
      expect((await legend.innerText()).replaceAll(/\s+/g, ' ')).toBe(
        `Day${today()}given up3open2superseded0delivered3`,
      );
    });

    test('a month · has a bar and a row for each day · and none for days without results', async () => {
      const counts = Array.from({ length: 30 }, (_, daysAgo) => (daysAgo % 7 < 2 ? 0 : 6 + ((daysAgo * 5) % 9)));
      for (const [daysAgo, count] of counts.entries()) await fillDay(daysAgo, count);
      const page = await open({ viewport: { width: 1280, height: 800 } });
      await hasRead(page);
      const accepted = await page.locator('#days tr td:nth-child(2)').allTextContents();
      expect(accepted.map(Number)).toEqual(counts);
      await takePicture(page.getByRole('region', { name: 'The last 30 days' }).first(), 'dashboard-days');
    });

    /** Some fail, some wait for a reboot, one in nine is given up, and the slowest takes a while. */
    async function fillDay(daysAgo: number, count: number): Promise<void> {
      const acceptedAt = Date.now() - daysAgo * 86_400_000;
      for (let number = 0; number < count; number += 1) {
        const exitCode = number % 6 === 5 ? 1 : number % 4 === 3 ? 3010 : 0;
        await conclusionOf({
          tenant: world.tenant,
          run: aRun(`${daysAgo}-${number}`, { exitCode }),
          outcome: number % 9 === 8 ? rejected(404) : created(`record-${daysAgo}-${number}`),
          instants: { acceptedAt, now: acceptedAt + 200 * 3 ** (number % 7) + daysAgo * 20 },
        });
      }
    }

    test('Redis away · say so where they stand · and keep what is shown', async () => {
      await fillDays();
      const page = await open();
      await hasRead(page);
      await redis.kill();
      try {
        await page.getByLabel('Hardware configuration').selectOption(OTHER);
        await page.locator('#days-status', { hasText: 'Redis does not' }).waitFor();
        expect(await page.locator('#days tr').count()).toBe(30);
      } finally {
        await redis.start();
      }
    });
  });

  test('the page · does not move under the reader · while it fills and refreshes', async () => {
    // Only what is in the window counts, so all of it is.
    opened = await openPage(browser, OPERATOR_TOKEN, { viewport: { width: 1280, height: 1800 } });
    const { page } = opened;
    const shifted = await watchShifts(page);
    await fill();
    await page.goto(`http://127.0.0.1:${listener.port}/dashboard`);
    await isLive(page);
    const asked = () => page.waitForResponse(/overview\.json/);
    await asked();
    await asked();
    expect(await shifted()).toBeLessThan(0.05);
  });

  test('the keyboard alone · finds, explains and replays · and the focus can be seen', async () => {
    await fill();
    const page = await open();
    await isLive(page);
    await tabTo(page, 'text');
    await page.keyboard.type('device-4');
    await page.keyboard.press('Enter');
    await page.getByText('One result.').waitFor();
    expect(await page.locator('#found').innerText()).toMatch(/given up \(graph-404\).*What happened.*What comes next/s);

    await tabTo(page, 'Replay graph-404');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Replay 2 dead letters?' }).waitFor();
    expect((await readFocus(page)).name).toBe('Cancel');
    await page.keyboard.press('Escape');
    expect(await countDead()).toBe(3);
    expect(await readFocus(page)).toEqual({ name: 'Replay graph-404', isVisible: true });

    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await tabTo(page, 'confirm-yes');
    await page.keyboard.press('Enter');
    await page.getByText('2 dead letters with graph-404 went back into the queue.').waitFor();
    expect(await countDead()).toBe(1);
    expect(opened.complaints).toEqual([]);
  });

  const HOUR_MS = 3_600_000;

  async function reportAll(): Promise<void> {
    const now = Date.now();
    for (const run of [1, 2, 3]) {
      const members = { deviceId: 'LAPTOP-BAD', deviceName: 'BER \u202e1', state: 'fail' as const };
      await world.tenant.deliveries.accept(aRun(run, members), now - (60 - run) * HOUR_MS);
    }
    for (let number = 1; number <= 60; number += 1)
      await world.tenant.deliveries.accept(aRun(`new-${number}`, { deviceId: `LAPTOP-${number}` }), now - number);
  }

  test.each(['light', 'dark'] as const)(
    '%s · silent, failing and all devices · are listed as asked, page by page',
    async (colorScheme) => {
      await reportAll();
      const page = await open({ colorScheme });
      await isLive(page);
      const rows = page.locator('#devices-rows tr');
      await page.getByRole('button', { name: 'Show', exact: true }).click();
      await page.getByText('1 device.', { exact: true }).waitFor();
      expect(await rows.allInnerTexts()).toEqual([
        expect.stringMatching(
          /^LAPTOP-BAD\s+BER \\u202e1\s+11111111-2222-3333-4444-555555555555\s+fail\s+3\s+2\.4 days ago\s+queued$/,
        ),
      ]);
      expect(await findFaults(page)).toEqual([]);
      await page.getByLabel('Which').selectOption('failing');
      await page.getByLabel('Failed in a row').fill('4');
      await page.getByRole('button', { name: 'Show', exact: true }).click();
      await page.getByText('None.', { exact: true }).waitFor();
      await page.getByLabel('Which').selectOption('last');
      await page.getByRole('button', { name: 'Show', exact: true }).click();
      await page.getByText('The first 50 devices.').waitFor();
      await page.getByRole('button', { name: 'More' }).click();
      await page.getByText('61 devices.').waitFor();
      expect(await rows.count()).toBe(61);
      expect(await page.getByRole('button', { name: 'More' }).count()).toBe(0);
      await page.locator('#devices-rows').getByRole('link', { name: 'LAPTOP-7', exact: true }).click();
      await page.getByText('One result.').waitFor();
      expect(opened.complaints).toEqual([]);
    },
  );

  test('a list of expected devices · names those that never reported and those that are silent · on a phone', async () => {
    await reportAll();
    const page = await open(PHONE);
    await isLive(page);
    await page.getByLabel('Which').selectOption('expected');
    await page.getByRole('button', { name: 'Show', exact: true }).click();
    await page.getByText('Paste the ids of the devices that should have reported.').waitFor();
    await page.getByLabel('Device ids').fill('LAPTOP-1\n LAPTOP-BAD\r\n\nLAPTOP-99\n');
    await page.getByRole('button', { name: 'Show', exact: true }).click();
    await page.getByText('1 of 3 never reported, 1 not within 24 h.').waitFor();
    expect(await page.locator('#devices-rows tr').allInnerTexts()).toEqual([
      expect.stringMatching(/^LAPTOP-99\s+never/),
      expect.stringMatching(/^LAPTOP-BAD\s+2\.4 days ago/),
    ]);
    expect(await findFaults(page)).toEqual([]);
    await page.getByLabel('Device ids').fill('no id');
    await page.getByRole('button', { name: 'Show', exact: true }).click();
    await page.locator('#devices-status', { hasText: 'deviceIds/0 must be 1 to 128 of' }).waitFor();
  });

  test('causes of death on a phone · are words in one line · and the page does not scroll sideways', async () => {
    await fill();
    const page = await open(PHONE);
    await isLive(page);
    const cause = page.locator('#causes th').first();
    await cause.waitFor();
    expect((await cause.boundingBox())?.width).toBeGreaterThan(80);
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
  });

  test('devices on a phone · are a table that scrolls · with room for their ids', async () => {
    await reportAll();
    const page = await open(PHONE);
    await isLive(page);
    await page.getByLabel('Which').selectOption('last');
    await page.getByRole('button', { name: 'Show', exact: true }).click();
    const device = page.locator('#devices-rows th').first();
    await device.waitFor();
    expect((await device.boundingBox())?.width).toBeGreaterThan(150);
  });

  test('a replay at a rate · is shown with how far it is · and paused, resumed and cancelled there', async () => {
    await fill();
    const page = await open();
    await isLive(page);
    await page.getByRole('button', { name: 'Replay graph-404' }).click();
    await page.getByLabel('How many a second').fill('0.01');
    await page.getByRole('button', { name: 'Replay 2' }).click();
    await page.getByText('Replay of graph-404, 0.01 a second: 0 of 2 went back into the queue.').waitFor();
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByText('0 of 2 went back into the queue · paused.').waitFor();
    expect(await findFaults(page)).toEqual([]);
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByRole('button', { name: 'Pause' }).waitFor();
    await page.getByRole('button', { name: 'Cancel the replay' }).click();
    await page.getByText('The replay is cancelled: 0 of 2 went back into the queue').waitFor();
    await page.locator('#replay').waitFor({ state: 'hidden' });
    expect(await countDead()).toBe(3);
    expect(opened.complaints).toEqual([]);
  });

  /** Presses Tab until this has the focus; everything on the way must show that it has it. */
  async function tabTo(page: Page, name: string): Promise<void> {
    for (let presses = 0; presses < 40; presses++) {
      await page.keyboard.press('Tab');
      const focus = await readFocus(page);
      expect(focus).toEqual({ name: focus.name, isVisible: true });
      if (focus.name === name) return;
    }
    throw new Error(`Tab never came to ${name}`);
  }

  const countDead = async () => (await world.tenant.deliveries.counts()).dead;

  test('a service that goes away · is reported, with the time of what is shown · and comes back by itself', async () => {
    const page = await open();
    await isLive(page);
    const { port } = listener;
    await listener.close();
    await page.getByText(/The service does not answer\. What you see is from \d\d:\d\d:\d\d\. Trying again/).waitFor();
    expect(await findFaults(page)).toEqual([]);
    await serve(port);
    await isLive(page);
  });

  test('Redis away · is distinguished · from a service that is unreachable', async () => {
    const page = await open();
    await isLive(page);
    await redis.kill();
    try {
      await page.getByText('The service answers, but Redis does not').waitFor();
    } finally {
      await redis.start();
    }
    await isLive(page);
  });

  test('a link to a result · explains it without a reload · and follows it to its end', async () => {
    const { id } = await end('1', rejected(404));
    const page = await open();
    await page.getByRole('link', { name: 'device-1' }).click();
    await page.getByText('One result.').waitFor();
    expect(page.url()).toContain(`?find=${id}`);
    await world.tenant.deadLetters.replay({ deliveryId: id }, Date.now());
    await page.getByRole('button', { name: 'Explain' }).click();
    await page.locator('#found .status.queued').waitFor();
    const stored = await world.tenant.deliveries.load(id);
    if (!stored) throw new Error('not stored');
    const delivered = {
      ...stored.delivery,
      status: 'delivered' as const,
      deliveredAt: Date.now(),
      deviceRunStateId: 'r1',
    };
    await world.tenant.deliveries.save(stored, delivered, { now: Date.now() });
    await page.locator('#found .status.delivered').waitFor();
    expect(opened.complaints).toEqual([]);
  });

  test('the raw view · opens behind the same password · and the policy refuses it nothing', async () => {
    await world.tenant.deliveries.accept(aRun('1'), Date.now());
    await world.tenant.deliveries.promote();
    const page = await open({}, '/dashboard/queues');
    await page.getByText('jobs of deliveries').click();
    await page
      .getByText(/^d[\w-]{22}/)
      .first()
      .waitFor();
    expect(opened.complaints).toEqual([]);
  });
});

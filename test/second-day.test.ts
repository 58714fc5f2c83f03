// docs/second-day.md: every command and request in it is run, and each question is answered on the page as it says.
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestBridge, type TestBridge } from './support/bridge.ts';
import { chromiumPath, openPage, startBrowser, titled, type OpenedPage } from './support/browser.ts';
import { INHERITED } from './support/environment.ts';
import { conclusionOf, created, rejected } from './support/outcomes.ts';
import { aRun } from './support/tenant.ts';

const run = promisify(execFile);
const OPERATOR_TOKEN = 'operators-of-the-second-day-of-the-bridge';
const HOUR_MS = 3_600_000;
const DELIVERY = 'dfgm6RhtiTiMRVNgn_b9Y1w';
const TEXT = readFileSync(new URL('../docs/second-day.md', import.meta.url), 'utf8');

/** Each question with its own part of the text. */
const QUESTIONS = [...TEXT.matchAll(/^## (\d+)\. (.*)\n([^]*?)(?=^## |(?![^]))/gm)].map(
  ([, number, question = '', section = '']) => ({ number: Number(number), question, section }),
);

/** Commands, one after another; those of curl are the requests. */
const blocksOf = (section: string) => [...section.matchAll(/^```sh\n([^]*?)^```$/gm)].map(([, block = '']) => block);

const directory = mkdtempSync(join(tmpdir(), 'runstate-second-day-'));
let bridge: TestBridge;

beforeAll(async () => {
  bridge = await startTestBridge({ OPERATOR_TOKEN });
  await fill();
  writeFileSync(join(directory, 'devices.csv'), 'Device ID\nLAPTOP-0042\nLAPTOP-0099\n');
}, 60_000);
afterAll(async () => {
  rmSync(directory, { recursive: true, force: true });
  await bridge.close();
});

/** One delivered, one of an unknown configuration given up, one that waits; one device silent, one that fails each time. */
async function fill(): Promise<void> {
  const tenant = bridge.queue;
  const now = tenant.clock.now();
  const at = (hoursAgo: number) => now - hoursAgo * HOUR_MS;
  const end = (deviceId: string, number: number, hoursAgo: number, isDead = false) =>
    conclusionOf({
      tenant,
      run: aRun(number, { deviceId, ...(deviceId === 'LAPTOP-0013' && { state: 'fail' as const }) }),
      outcome: isDead ? rejected(404) : created(`00000000-0000-4000-8000-${String(number).padStart(12, '0')}`),
      instants: { acceptedAt: at(hoursAgo), now: at(hoursAgo) + 5000 },
    });
  await end('LAPTOP-0007', 4, 90);
  for (const number of [5, 6, 7]) await end('LAPTOP-0013', number, 30 - number);
  await end('LAPTOP-0042', 1, 9);
  await end('LAPTOP-0042', 2, 8, true);
  await end('LAPTOP-0043', 8, 7, true);
  await tenant.deliveries.accept(aRun(3, { deviceId: 'LAPTOP-0042' }), at(0));
}

/** As a person with the token types it, with the address of this bridge. */
async function type(commands: string): Promise<string> {
  const script = [
    'set -eu',
    `cd ${JSON.stringify(directory)}`,
    'AUTH="Authorization: Bearer $OPERATOR_TOKEN"',
    `npx() { shift; ${JSON.stringify(process.execPath)} ${JSON.stringify(join(process.cwd(), 'src/cli/main.ts'))} "$@" --url ${bridge.url}; }`,
    'curl() { command curl -fsS "$@"; }',
    commands.replaceAll('http://localhost:8080', bridge.url),
  ].join('\n');
  return (await run('bash', ['-c', script], { env: { ...INHERITED, OPERATOR_TOKEN } })).stdout;
}

/** What the commands and the requests say, by question. */
const SAID: Record<number, readonly [commands: RegExp, requests: RegExp]> = {
  1: [/waiting|queued/i, /"counts":\{"queued":1,/],
  2: [/"drainSeconds"/, /"deliveries":\[\{"deliveryId"[^]*"runId":"run-3"/],
  3: [
    /run-3 +│ queued[^]*run-2 +│ dead: graph-404[^]*run-1 +│ delivered[^]*[Dd]elivered/,
    /"runId":"run-3"[^]*"runId":"run-1"/,
  ],
  4: [/"deviceRunStateId": "00000000-0000-4000-8000-000000000001"/, /"graphStatus":201/],
  5: [/graph-404[^]*"LAPTOP-0043","run-8"/, /"code":"graph-404"[^]*"deliveryId","tenant"/],
  6: [/2[^]*1[^]*graph-404/, /"matched":\d+,"replayed":0[^]*"replays":\[\{"id"/],
  7: [/LAPTOP-0007/, /"deviceId":"LAPTOP-0007"/],
  8: [/1 of 2 expected devices never reported:\n {2}LAPTOP-0099/, /"neverReported":\["LAPTOP-0099"\]/],
  9: [/LAPTOP-0013[^]*fail \(3 in a row\)/, /"failuresInARow":3/],
  10: [/11111111-2222-3333-4444-555555555555|delivered/i, /"outcomes":\{"delivered":\d+,"dead":\d+/],
};

test('the questions · are ten · each with a page, commands and requests', () => {
  expect(QUESTIONS.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  for (const { section } of QUESTIONS) {
    expect(section).toContain('**On the page:**');
    const [commands = '', requests = '', ...others] = blocksOf(section);
    expect([commands.startsWith('npx runstate-bridge '), requests.startsWith('curl '), others]).toEqual([
      true,
      true,
      [],
    ]);
  }
});

test.each(QUESTIONS)(
  '$number. $question · commands and requests · answer it',
  async ({ number, section }) => {
    const [commands = '', requests = ''] = blocksOf(section);
    const [byCommands, byRequests] = SAID[number] ?? [/never/, /never/];
    expect(await type(commands)).toMatch(byCommands);
    expect(await type(requests)).toMatch(byRequests);
  },
  60_000,
);

describe.skipIf(chromiumPath === null)(titled('on the page'), () => {
  let browser: Browser;
  let opened: OpenedPage;
  let page: Page;

  beforeAll(async () => {
    browser = await startBrowser();
    opened = await openPage(browser, OPERATOR_TOKEN);
    ({ page } = opened);
    await page.goto(`${bridge.url}/dashboard`);
    await page.locator('#live[data-state=live]').waitFor();
  });
  afterAll(() => browser.close());

  const show = async (which: string) => {
    await page.getByLabel('Which').selectOption({ label: which });
    if (which.startsWith('silent')) await page.getByLabel('Silent for hours').fill('48');
    if (which.startsWith('missing')) await page.getByLabel('Device ids').fill('LAPTOP-0042\nLAPTOP-0099');
    await page.getByRole('button', { name: 'Show', exact: true }).click();
  };
  const search = async (text: string) => {
    await page.getByLabel('Device id, run id or delivery id').fill(text);
    await page.getByRole('button', { name: 'Explain' }).click();
  };
  const rowOf = (deviceId: string) => page.locator('#devices-rows', { hasText: deviceId }).waitFor();

  /** What each answer says of the page, done. */
  const ON_THE_PAGE: Record<number, () => Promise<void>> = {
    1: async () => expect(await page.locator('#headline').innerText()).not.toMatch(/Reading/),
    2: async () => expect(await page.locator('#figures').innerText()).toMatch(/Waiting[^]*Backlog clears in/),
    3: async () => {
      await search('LAPTOP-0042');
      await page.getByText('3 results, newest first.').waitFor();
    },
    4: async () => {
      await search(DELIVERY);
      await page.getByText('One result.').waitFor();
      expect(await page.locator('#found').innerText()).toMatch(/What happened[^]*1/);
    },
    5: async () => {
      await page.getByRole('heading', { name: 'Dead letters by cause' }).waitFor();
      await page.locator('#causes', { hasText: 'graph-404' }).waitFor();
    },
    6: async () => {
      await page.getByRole('button', { name: 'Replay graph-404' }).click();
      await page.getByLabel('How many a second').waitFor();
      await page.keyboard.press('Escape');
    },
    7: async () => {
      await show('silent: reported before, but not lately');
      await rowOf('LAPTOP-0007');
    },
    8: async () => {
      await show('missing from a list of mine');
      await rowOf('LAPTOP-0099');
    },
    9: async () => {
      await show('failing again and again');
      await rowOf('LAPTOP-0013');
    },
    10: async () => {
      await page.getByRole('heading', { name: 'The last 30 days' }).waitFor();
      await page.getByLabel('Hardware configuration', { exact: true }).waitFor();
    },
  };

  test.each(QUESTIONS)('$number. $question · as it says · with the names it gives', async ({ number, section }) => {
    await ON_THE_PAGE[number]?.();
    const [said = ''] = /\*\*On the page:\*\*[^]*?(?=\n\n)/.exec(section) ?? [];
    const text = ((await page.locator('body').textContent()) ?? '').replaceAll(/\s+/g, ' ');
    for (const [, name = ''] of said.matchAll(/_([^_]+)_/g)) expect(text).toContain(name);
    expect(opened.complaints).toEqual([]);
  });
});

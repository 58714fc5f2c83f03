// A real Chromium for tests of pages, if the machine has one; collects what its pages report as errors.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type BrowserContextOptions, type Locator, type Page } from 'playwright-core';

const PLACES = [
  process.env['CHROMIUM_PATH'] ?? '',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];

/** Null if there is none on this machine. */
export const chromiumPath = PLACES.find((path) => path !== '' && existsSync(path)) ?? null;

const WITHOUT = 'needs Chromium: install it, or set CHROMIUM_PATH';

/** A test title that includes the reason if its tests are skipped. */
export const titled = (title: string): string => (chromiumPath === null ? `${title} – skipped, ${WITHOUT}` : title);

export function startBrowser(): Promise<Browser> {
  if (chromiumPath === null) throw new Error(WITHOUT);
  return chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

export type OpenedPage = {
  page: Page;
  /** Console errors, exceptions, and everything the content security policy blocked. */
  complaints: string[];
  close: () => Promise<void>;
};

/** Opens a page as an operator with this token. */
export async function openPage(
  browser: Browser,
  token: string,
  options: BrowserContextOptions = {},
): Promise<OpenedPage> {
  const context = await browser.newContext({
    httpCredentials: { username: 'operator', password: token },
    locale: 'en-GB',
    timezoneId: 'UTC',
    ...options,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  return { page, complaints, close: () => context.close() };
}

const PICTURES = fileURLToPath(new URL('../../docs/pictures/', import.meta.url));

/** Takes a screenshot of a page or a part of it for the documentation if PICTURES is set: `PICTURES=1 vitest run test/browser`. */
export async function takePicture(shown: Page | Locator, name: string): Promise<void> {
  if (process.env['PICTURES'] === undefined) return;
  await shown.screenshot({ path: join(PICTURES, `${name}.png`), animations: 'disabled' });
}

// A real Chromium for tests of pages, where the machine has one; what its pages complain about is collected.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';

const PLACES = [
  process.env['CHROMIUM_PATH'] ?? '',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];

/** Null where there is none on this machine. */
export const chromiumPath = PLACES.find((path) => path !== '' && existsSync(path)) ?? null;

const WITHOUT = 'needs Chromium: install it, or set CHROMIUM_PATH';

/** A title that says why its tests are skipped, where they are. */
export const titled = (title: string): string => (chromiumPath === null ? `${title} – skipped, ${WITHOUT}` : title);

export function startBrowser(): Promise<Browser> {
  if (chromiumPath === null) throw new Error(WITHOUT);
  return chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

export type OpenedPage = {
  page: Page;
  /** Errors on the console, exceptions, and everything the content security policy refused. */
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

/** Takes a picture for the documents, where PICTURES is set: `PICTURES=1 vitest run test/browser`. */
export async function takePicture(page: Page, name: string): Promise<void> {
  if (process.env['PICTURES'] === undefined) return;
  await page.screenshot({ path: join(PICTURES, `${name}.png`), animations: 'disabled' });
}

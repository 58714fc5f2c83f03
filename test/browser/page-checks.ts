// What every page must have for everyone, asked in the page itself: contrast, names, order of headings, room for fingers.
import type { Page } from 'playwright-core';

/** Runs in the page: the contrast (WCAG 2) of each visible text that is below what its size needs. */
const CONTRAST = `(() => {
  const parse = (text) => {
    const [r = 0, g = 0, b = 0, a = 1] = (text.match(/[\\d.]+/g) ?? []).map(Number);
    return { r, g, b, a };
  };
  const over = (top, below) => ({
    r: top.r * top.a + below.r * (1 - top.a),
    g: top.g * top.a + below.g * (1 - top.a),
    b: top.b * top.a + below.b * (1 - top.a),
    a: 1,
  });
  const luminance = ({ r, g, b }) => {
    const [x, y, z] = [r, g, b].map((c) => ((c / 255) <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const groundOf = (node) => {
    if (!node) return matchMedia('(prefers-color-scheme: dark)').matches ? { r: 18, g: 18, b: 18, a: 1 } : { r: 255, g: 255, b: 255, a: 1 };
    const own = parse(getComputedStyle(node).backgroundColor);
    return own.a === 1 ? own : over(own, groundOf(node.parentElement));
  };
  const faults = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    const box = node.getBoundingClientRect();
    if (text === '' || box.width < 2 || box.height < 2 || !node.checkVisibility()) continue;
    const style = getComputedStyle(node);
    const ground = groundOf(node);
    const [a, b] = [luminance(over(parse(style.color), ground)), luminance(ground)].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (contrast < (large ? 3 : 4.5)) faults.push(text.slice(0, 40) + ': ' + contrast.toFixed(2));
  }
  return faults;
})()`;

/** Runs in the page: what has no name, stands out of order, or is too small to touch. */
const STRUCTURE = `(() => {
  const faults = [];
  const seen = (node) => node.checkVisibility() && node.getBoundingClientRect().width > 1;
  const nameOf = (node) =>
    node.getAttribute('aria-label') ??
    document.getElementById(node.getAttribute('aria-labelledby') ?? '')?.textContent ??
    (node.labels?.[0]?.textContent || (node.matches('select, textarea') ? '' : node.textContent.trim()));
  for (const node of document.querySelectorAll('a, button, input, select, textarea, meter, [role=img], [role=region], dialog, section')) {
    if (!nameOf(node)) faults.push('no name: ' + node.outerHTML.slice(0, 80));
  }
  for (const node of document.querySelectorAll('button, input, select, textarea')) {
    if (seen(node) && node.getBoundingClientRect().height < 40) faults.push('small: ' + node.outerHTML.slice(0, 80));
  }
  let level = 0;
  for (const node of document.querySelectorAll('h1, h2, h3')) {
    const next = Number(node.tagName[1]);
    if (next > level + 1) faults.push('heading out of order: ' + node.textContent);
    level = next;
  }
  if (document.querySelectorAll('h1').length !== 1) faults.push('not one h1');
  if (!document.documentElement.lang) faults.push('no language');
  const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
  for (const id of ids.filter((id, index) => ids.indexOf(id) !== index)) faults.push('twice: ' + id);
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth > clientWidth) {
    const isBeside = (node) => node.getBoundingClientRect().right > clientWidth && !node.parentElement.closest('.scroll');
    const beside = [...document.body.querySelectorAll('*')].filter(isBeside).map((node) => node.outerHTML.slice(0, 60));
    faults.push('wider than the window: ' + scrollWidth, ...beside);
  }
  return faults;
})()`;

/** Everything that is wrong with a page as it stands. */
export async function findFaults(page: Page): Promise<string[]> {
  return [...(await page.evaluate<string[]>(CONTRAST)), ...(await page.evaluate<string[]>(STRUCTURE))];
}

/** What has the focus, and whether one can see it. */
export function readFocus(page: Page): Promise<{ name: string; isVisible: boolean }> {
  return page.evaluate<{ name: string; isVisible: boolean }>(`(() => {
    const node = document.activeElement;
    const { outlineStyle, outlineWidth } = getComputedStyle(node);
    const name = node.id || node.getAttribute('aria-label') || node.textContent.trim();
    return { name, isVisible: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 };
  })()`);
}

/** Counts layout shifts from now on. @returns how to read their sum (0.1 is what people begin to mind) */
export async function watchShifts(page: Page): Promise<() => Promise<number>> {
  await page.addInitScript(`
    globalThis.shifted = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) if (!entry.hadRecentInput) globalThis.shifted += entry.value;
    }).observe({ type: 'layout-shift', buffered: true });
  `);
  return () => page.evaluate<number>('globalThis.shifted');
}

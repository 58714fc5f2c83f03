// Checks the table of threats: each names its prevention and its tests, and those tests exist.
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const [, section = ''] = readFileSync(`${ROOT}docs/security.md`, 'utf8').split(/^## Threats$/m);
const rows = (section.split(/^## /m)[0] ?? '')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (?:who |-+ )\s*\| (?:what |-)/.test(line))
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

test('every threat · says who, what, how it is stopped · and names a test', () => {
  expect(rows.length).toBeGreaterThan(15);
  for (const cells of rows) {
    expect(cells.map((cell) => cell.length > 3)).toEqual([true, true, true, true]);
    expect(cells[3]).toMatch(/\]\(\.\.\/test\//);
  }
});

test('every test it names · exists · under that name', () => {
  const named = rows.flatMap(([, , , tests = '']) => [...tests.matchAll(/\[([^\]]+)\]\(\.\.\/([^)]+)\)/g)]);
  expect(named.filter(([, label = '', path]) => label !== path || !existsSync(`${ROOT}${label}`))).toEqual([]);
  expect(named.length).toBeGreaterThan(rows.length);
});

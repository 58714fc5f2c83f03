// Files read again: when they changed and are settled, once each, and never at the price of what was good.
import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { CannotStart } from '../../../src/config/cannot-start.ts';
import { createReloaded } from '../../../src/http/identity/watched-files.ts';

const LOOK_MS = 500;

let directory: string;
let told: (string | null)[];
let heard: string[];
const file = (name: string) => join(directory, name);

beforeEach(() => {
  vi.useFakeTimers();
  directory = mkdtempSync(join(tmpdir(), 'runstate-reloaded-'));
  [told, heard] = [[], []];
  writeFileSync(file('a'), 'a1');
  writeFileSync(file('b'), 'b1');
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(directory, { recursive: true });
});

function open() {
  const parse = (texts: readonly string[]) => {
    if (texts.includes('bad')) throw new Error('bad');
    return texts.join('+');
  };
  const reloaded = createReloaded([file('a'), file('b')], parse, (paths, error) => {
    expect(paths).toEqual([file('a'), file('b')]);
    told.push(error instanceof Error ? error.message : null);
  });
  reloaded.onChange((value) => heard.push(value));
  return reloaded;
}
const look = (times = 1) => vi.advanceTimersByTime(times * LOOK_MS);

test('files that stay · are read once · and nothing is said', () => {
  const reloaded = open();
  look(10);
  expect([reloaded.current(), told, heard]).toEqual(['a1+b1', [], []]);
  reloaded.close();
});

test('files that changed · are read when two looks saw the same · and not in between', () => {
  const reloaded = open();
  writeFileSync(file('a'), 'a22');
  look();
  expect(reloaded.current()).toBe('a1+b1');
  writeFileSync(file('b'), 'b22');
  look();
  expect(reloaded.current()).toBe('a1+b1');
  look();
  expect([reloaded.current(), told, heard]).toEqual(['a22+b22', [null], ['a22+b22']]);
  look(10);
  expect(told).toEqual([null]);
  reloaded.close();
});

test('what cannot be used · is told once · and the old stays until it is mended', () => {
  const reloaded = open();
  writeFileSync(file('a'), 'bad');
  look(10);
  expect([reloaded.current(), told, heard]).toEqual(['a1+b1', ['bad'], []]);
  rmSync(file('a'));
  look(10);
  expect([reloaded.current(), told.length]).toEqual(['a1+b1', 2]);
  writeFileSync(file('a'), 'a3');
  look(2);
  expect([reloaded.current(), told.at(-1), heard]).toEqual(['a3+b1', null, ['a3+b1']]);
  reloaded.close();
});

test('a link to another file · is another file · as secrets are mounted', () => {
  writeFileSync(file('first'), 'a1');
  writeFileSync(file('second'), 'a2');
  symlinkSync(file('first'), file('link'));
  renameSync(file('link'), file('a'));
  const reloaded = open();
  symlinkSync(file('second'), file('link'));
  renameSync(file('link'), file('a'));
  look(2);
  expect(reloaded.current()).toBe('a2+b1');
  reloaded.close();
});

test('a file that cannot even be looked at · is told of once · and the old stays until it is mended', () => {
  const reloaded = open();
  rmSync(file('a'));
  symlinkSync(file('a'), file('a'));
  look(10);
  expect([reloaded.current(), told, heard]).toEqual(['a1+b1', [expect.stringContaining('ELOOP')], []]);
  rmSync(file('a'));
  writeFileSync(file('a'), 'a3');
  look(2);
  expect([reloaded.current(), told.at(-1)]).toEqual(['a3+b1', null]);
  reloaded.close();
});

test('nothing that can be used at the start · is no start · and says which file', () => {
  writeFileSync(file('b'), 'bad');
  expect(open).toThrow(new CannotStart(`${file('a')}, ${file('b')}: bad`));
  rmSync(file('b'));
  expect(open).toThrow(CannotStart);
});

test('closed · it looks no more', () => {
  const reloaded = open();
  reloaded.close();
  writeFileSync(file('a'), 'a2');
  look(10);
  expect([reloaded.current(), told]).toEqual(['a1+b1', []]);
});

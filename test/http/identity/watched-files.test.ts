// Files read again: when they changed and are settled, once each, and never at the price of what was good.
import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { CannotStart } from '../../../src/config/cannot-start.ts';
import { createReloaded } from '../../../src/http/identity/watched-files.ts';

const LOOK_MS = 500;

let directory: string;
let reported: (string | null)[];
let heard: string[];
const file = (name: string) => join(directory, name);

beforeEach(() => {
  vi.useFakeTimers();
  directory = mkdtempSync(join(tmpdir(), 'runstate-reloaded-'));
  [reported, heard] = [[], []];
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
    reported.push(error instanceof Error ? error.message : null);
  });
  reloaded.onChange((value) => heard.push(value));
  return reloaded;
}
const look = (times = 1) => vi.advanceTimersByTime(times * LOOK_MS);

test('files that stay · are read once · and nothing is said', () => {
  const reloaded = open();
  look(10);
  expect([reloaded.current(), reported, heard]).toEqual(['a1+b1', [], []]);
  reloaded.close();
});

test('files that changed · are read once two checks find the same content · and not in between', () => {
  const reloaded = open();
  writeFileSync(file('a'), 'a22');
  look();
  expect(reloaded.current()).toBe('a1+b1');
  writeFileSync(file('b'), 'b22');
  look();
  expect(reloaded.current()).toBe('a1+b1');
  look();
  expect([reloaded.current(), reported, heard]).toEqual(['a22+b22', [null], ['a22+b22']]);
  look(10);
  expect(reported).toEqual([null]);
  reloaded.close();
});

test('content that cannot be used · is reported once · and the old stays in use until it is corrected', () => {
  const reloaded = open();
  writeFileSync(file('a'), 'bad');
  look(10);
  expect([reloaded.current(), reported, heard]).toEqual(['a1+b1', ['bad'], []]);
  rmSync(file('a'));
  look(10);
  expect([reloaded.current(), reported.length]).toEqual(['a1+b1', 2]);
  writeFileSync(file('a'), 'a3');
  look(2);
  expect([reloaded.current(), reported.at(-1), heard]).toEqual(['a3+b1', null, ['a3+b1']]);
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

test('a file that cannot be read · is reported once · and the old content stays in use until it can be', () => {
  const reloaded = open();
  rmSync(file('a'));
  symlinkSync(file('a'), file('a'));
  look(10);
  expect([reloaded.current(), reported, heard]).toEqual(['a1+b1', [expect.stringContaining('ELOOP')], []]);
  rmSync(file('a'));
  writeFileSync(file('a'), 'a3');
  look(2);
  expect([reloaded.current(), reported.at(-1)]).toEqual(['a3+b1', null]);
  reloaded.close();
});

test('unusable content at the start · keeps the process from starting · and the error names the file', () => {
  writeFileSync(file('b'), 'bad');
  expect(open).toThrow(new CannotStart(`${file('a')}, ${file('b')}: bad`));
  rmSync(file('b'));
  expect(open).toThrow(CannotStart);
});

test('a closed watcher · checks no more · and reads nothing', () => {
  const reloaded = open();
  reloaded.close();
  writeFileSync(file('a'), 'a2');
  look(10);
  expect([reloaded.current(), reported]).toEqual(['a1+b1', []]);
});

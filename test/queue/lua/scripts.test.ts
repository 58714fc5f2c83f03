// The Lua files: sound, taken by Redis, the only Lua there is, and part of what is built.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { LUA_FILES } from '../../../src/queue/lua/assemble.ts';
import { SCRIPT_NAMES, scriptText } from '../../../src/queue/redis/script.ts';
import { startTestRedis } from '../../support/redis.ts';
import { headerFaults, lintLua, textFaults } from './lint.ts';

test('every Lua file · is checked by lint · and has no fault', () => {
  expect(lintLua()).toEqual([]);
  expect(LUA_FILES.size).toBeGreaterThan(SCRIPT_NAMES.length);
});

test.each([
  ['a syntax error', 'local a = = 1', /^here: \[1:10\]/],
  ['a misspelt name', 'local total = 1\nreturn totl', /^here: not defined: totl$/],
  ['what only a later Lua has', 'goto done ::done::', /^here: /],
])('%s · is a fault', (_name, text, fault) => {
  expect(textFaults('here', text)).toEqual([expect.stringMatching(fault)]);
});

test.each([
  ['none at all', 'return 1\n'],
  ['one without the reply', '--[[\n  Counts.\n\n  KEYS[1]  count\n]]\n'],
  ['one that skips an argument', '--[[\n  Counts.\n\n  ARGV[1]  one\n  ARGV[3]  three\n\n  Reply: 1\n]]\n'],
])('a header · %s · is a fault', (_name, text) => {
  expect(headerFaults(text, false)).toHaveLength(1);
});

test('every script · put together · is taken by Redis', async () => {
  const redis = await startTestRedis();
  onTestFinished(() => redis.close());
  for (const name of SCRIPT_NAMES) {
    expect(await redis.client.script('LOAD', scriptText(name)), name).toMatch(/^[0-9a-f]{40}$/);
  }
});

test('Lua · is in Lua files · and nowhere in TypeScript', () => {
  const files = ['src', 'workers'].flatMap((room) =>
    readdirSync(room, { recursive: true, encoding: 'utf8' }).map((file) => join(room, file)),
  );
  const withLua = files.filter(
    (file) => file.endsWith('.ts') && /redis\.p?call\(|\.eval\(/.test(readFileSync(file, 'utf8')),
  );
  expect(withLua).toEqual([]);
});

test('the build · copies every Lua file · beside the code that reads it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'runstate-build-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  symlinkSync(resolve('src'), join(folder, 'src'));
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: { build: string } };
  const copy = scripts.build.split(' && ').filter((step) => step.includes('cpSync'));
  expect(copy).toHaveLength(1);
  execFileSync('sh', ['-c', copy[0] ?? ''], { cwd: folder });
  const copied = readdirSync(join(folder, 'dist/src/queue/lua'), { recursive: true, encoding: 'utf8' });
  expect(copied.filter((file) => file.endsWith('.lua')).sort()).toEqual(
    Array.from(LUA_FILES.keys(), (name) => `${name}.lua`).sort(),
  );
  expect(copied.filter((file) => file.endsWith('.ts'))).toEqual([]);
});

// Checks the Lua scripts without running them: each file parses as Lua 5.1, says what it takes and replies, and names nothing that is not there.
import luaparse from 'luaparse';
import { LUA_FILES } from '../../../src/queue/lua/assemble.ts';
import { CONSTANT_NAMES } from '../../../src/queue/lua/constants.ts';
import { SCRIPT_NAMES, scriptText } from '../../../src/queue/redis/script.ts';

/** What Redis gives a script: its own objects, and the part of Lua's library that we use. */
const GLOBALS = ['KEYS', 'ARGV', 'redis', 'cjson', 'cmsgpack', 'math', 'string', 'struct', 'table'].concat([
  'ipairs',
  'next',
  'pairs',
  'tonumber',
  'tostring',
  'unpack',
]);
const HEADER = /^--\[\[\n {2}(\S[\s\S]*?)\n\]\]\n/;

/** @returns what is wrong, each with the name of its file */
export function lintLua(): string[] {
  const listed = new Set<string>([...SCRIPT_NAMES, 'answer-once', 'format-check']);
  const files = Array.from(LUA_FILES, ([name, text]) => ({ name, text, isPart: name.startsWith('includes/') }));
  return [
    ...files.flatMap(({ name, text }) => faultsOf(`${name}.lua`, () => parse(text))),
    ...files.flatMap(({ name, text, isPart }) => headerFaults(text, isPart).map((fault) => `${name}.lua: ${fault}`)),
    ...files.flatMap(({ name, isPart }) => (isPart || listed.has(name) ? [] : `${name}.lua: nothing runs it`)),
    ...SCRIPT_NAMES.flatMap((name) => textFaults(`${name}.lua, put together`, scriptText(name))),
    ...unusedFaults(),
  ];
}

function parse(text: string) {
  return luaparse.parse(text, { luaVersion: '5.1', comments: false, scope: true });
}

function faultsOf(where: string, check: () => unknown): string[] {
  try {
    check();
    return [];
  } catch (error) {
    return [`${where}: ${error instanceof Error ? error.message : String(error)}`];
  }
}

/** Of a whole script: whether it parses, and every name in it is defined. */
export function textFaults(where: string, text: string): string[] {
  return faultsOf(where, () => {
    const { globals = [] } = parse(text) as { globals?: { name: string }[] };
    const unknown = globals.map(({ name }) => name).filter((name) => !GLOBALS.includes(name));
    if (unknown.length > 0) throw new Error(`not defined: ${unknown.join(', ')}`);
  });
}

/** A header names its keys and arguments one by one, without a gap, and a script's says what it replies. */
export function headerFaults(text: string, isPart: boolean): string[] {
  const header = HEADER.exec(text)?.[1];
  if (header === undefined) return ['does not begin with a comment on what it is'];
  const gaps = ['KEYS', 'ARGV'].filter((list) => hasGap(header, list));
  return [
    ...gaps.map((list) => `its ${list} are not named one after the other`),
    ...(isPart || /^ {2}Reply: \S/m.test(header) ? [] : ['does not say what it replies']),
  ];
}

function hasGap(header: string, list: string): boolean {
  const ranges = header.matchAll(new RegExp(`^ {2}${list}\\[(\\d+)(?:\\.\\.(\\d+))?`, 'gm'));
  let last = 0;
  return Array.from(ranges, ([, from = '', to = from]) => {
    const follows = Number(from) === last + 1;
    last = Number(to);
    return follows;
  }).includes(false);
}

/** Parts, functions and constants that no script uses. */
function unusedFaults(): string[] {
  const all = Array.from(LUA_FILES.values()).join('\n');
  const parts = Array.from(LUA_FILES.keys(), (name) => name.replace(/^includes\//, '')).filter((name) =>
    LUA_FILES.has(`includes/${name}`),
  );
  const functions = Array.from(all.matchAll(/^local function (\w+)/gm), ([, name = '']) => name);
  const uses = (name: string) => all.match(new RegExp(`\\b${name}\\b`, 'g'))?.length ?? 0;
  return [
    ...parts.filter((name) => !all.includes(`--- @include "${name}"`)).map((name) => `includes/${name}.lua: unused`),
    ...functions.filter((name) => uses(name) < 2).map((name) => `function ${name}: unused`),
    ...CONSTANT_NAMES.filter((name) => uses(name) === 0).map((name) => `constant ${name}: unused`),
  ];
}

if (import.meta.main) {
  const faults = lintLua();
  for (const fault of faults) process.stderr.write(`${fault}\n`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}

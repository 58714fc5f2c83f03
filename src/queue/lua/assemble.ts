// Loads the Lua scripts next to this file and assembles each: prologue, included parts, and its own lines.
import { readdirSync, readFileSync } from 'node:fs';
import { prologueFor } from './constants.ts';

/** `--- @include "name"` is replaced by `includes/name.lua`, once per script. */
const INCLUDE = /^--- @include "([\w/-]+)"\n/gm;
const FORMAT_CHECK = 'format-check';
/** The placeholder for the wrapped script in `answer-once.lua`. */
const SCRIPT_LINE = /^ *--- @script\n/m;
const WRAPPER = 'answer-once';

const folder = new URL('./', import.meta.url);

/** Lua files by name, such as `store/put-off`. */
export const LUA_FILES: ReadonlyMap<string, string> = new Map(
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.lua'))
    .sort()
    .map((file) => [file.slice(0, -'.lua'.length), readFileSync(new URL(file, folder), 'utf8')]),
);

/** `once`: a call that arrives twice runs once · `checked`: the format of the tenant's data is checked first, as it is there. */
export type Wrapped = 'once' | 'checked' | 'bare';

/** @throws Error if a file is missing */
export function assemble(name: string, wrapped: Wrapped): string {
  const script = withIncludes(read(name), new Set());
  const wrapper = wrapped === 'once' ? WRAPPER : FORMAT_CHECK;
  const whole = wrapped === 'bare' ? script : withIncludes(read(wrapper), new Set()).replace(SCRIPT_LINE, () => script);
  return `${prologueFor(whole)}\n${whole}`;
}

function withIncludes(text: string, included: Set<string>): string {
  return text.replaceAll(INCLUDE, (_line, name: string) => {
    if (included.has(name)) return '';
    included.add(name);
    return withIncludes(read(`includes/${name}`), included);
  });
}

function read(name: string): string {
  const text = LUA_FILES.get(name);
  if (text === undefined) throw new Error(`there is no script ${name}.lua`);
  return text;
}

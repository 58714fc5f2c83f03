// The rules of the Redis user that docs/operations.md describes, as ACL SETUSER takes them.
import { readFileSync } from 'node:fs';

/** @param password the user's, in place of the documented word */
export function documentedRules(password: string): string[] {
  const text = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
  const [, rules] = /^ACL SETUSER bridge (on >PASSWORD [^`]*)$/m.exec(text) ?? [];
  if (rules === undefined) throw new Error('docs/operations.md describes no user');
  return rules
    .trim()
    .split(/\s+/)
    .map((rule) => rule.replace('PASSWORD', password));
}

/** The rules that are told in a sentence beside, by what they are for. */
export function documentedBeside(what: RegExp): string[] {
  const text = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8').replaceAll('\n', ' ');
  const [, rules] = what.exec(text) ?? [];
  if (rules === undefined) throw new Error(`docs/operations.md has no ${what.source}`);
  return rules.split(/\s+/);
}

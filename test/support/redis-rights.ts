// The rules of the Redis user that docs/operations.md describes, as ACL SETUSER takes them.
import { readFileSync } from 'node:fs';

/** @param password replaces the placeholder in the documentation */
export function documentedRules(password: string): string[] {
  const text = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
  const [, rules] = /^ACL SETUSER bridge (on >PASSWORD [^`]*)$/m.exec(text) ?? [];
  if (rules === undefined) throw new Error('docs/operations.md describes no user');
  return rules
    .trim()
    .split(/\s+/)
    .map((rule) => rule.replace('PASSWORD', password));
}

/** The rules given in accompanying sentences, by their purpose. */
export const BESIDE = {
  inCluster: documentedBeside(/A Cluster takes `([^`]*)`/),
  atSentinels: documentedBeside(/Sentinels want a user[^`]*`([^`]*)`/),
  waiting: documentedBeside(/`REDIS_MIN_REPLICAS` takes `([^`]*)`/),
  waitingInCluster: documentedBeside(/`REDIS_MIN_REPLICAS` takes [^`]*`[^`]*`, and in a Cluster `([^`]*)`/),
};

export function documentedBeside(what: RegExp): string[] {
  const text = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8').replaceAll('\n', ' ');
  const [, rules] = what.exec(text) ?? [];
  if (rules === undefined) throw new Error(`docs/operations.md has no ${what.source}`);
  return rules.split(/\s+/);
}

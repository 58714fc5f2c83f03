// Limits nesting depth and member count of a submission's JSON, well above what any run result needs.
import type { Fault } from './run-result.ts';

const MAX_DEPTH = 32;
const MAX_MEMBERS = 1000;

/** What exceeds the limits, or null. Counts objects and arrays alike; stops at the first excess. */
export function findExcess(json: unknown): Fault | null {
  let members = 0;

  function look(value: unknown, depth: number): string | null {
    if (typeof value !== 'object' || value === null) return null;
    if (depth > MAX_DEPTH) return `must not be nested deeper than ${MAX_DEPTH} levels`;
    const inside: unknown[] = Object.values(value);
    members += inside.length;
    if (members > MAX_MEMBERS) return `must not have more than ${MAX_MEMBERS} members and items in all`;
    for (const one of inside) {
      const excess = look(one, depth + 1);
      if (excess !== null) return excess;
    }
    return null;
  }

  const detail = look(json, 1);
  return detail === null ? null : { pointer: '', detail };
}

// Dead letters by cause: how many of each, and what an operator can do about it.
import type { Delivery } from '../delivery.ts';
import { remedyOf } from './remedy.ts';

/** `latestAt` in milliseconds since 1970. */
export type Cause = { code: string; count: number; remedy: string; latestAt: number | null };

const UNKNOWN = 'unknown';

/** Counts dead letters by code, most frequent first. */
export function countCauses(deadLetters: readonly Delivery[]): Cause[] {
  const causes = new Map<string, Cause>();
  for (const { lastFailure } of deadLetters) {
    const code = lastFailure?.code ?? UNKNOWN;
    const known = causes.get(code) ?? { code, count: 0, remedy: remedyOf(code), latestAt: null };
    const latestAt = Math.max(known.latestAt ?? 0, lastFailure?.at ?? 0) || null;
    causes.set(code, { ...known, count: known.count + 1, latestAt });
  }
  return Array.from(causes.values()).sort((a, b) => b.count - a.count || a.code.localeCompare(b.code));
}

// Parses setting changes from the control API; every fault is reported.
import { z } from 'zod';

import { PROFILE_NAMES } from '../profiles/named.ts';
import type { Changes } from '../settings.ts';
import { TROUBLES } from '../trouble.ts';

const notNegative = z.number().min(0);
const positive = z.int().min(1);
const texts = z.array(z.string());

const schema = z
  .strictObject({
    permission: z.enum(['granted', 'taken-away']),
    secret: z.enum(['valid', 'revoked']),
    graph: z.enum(['up', 'down']),
    tokenEndpoint: z.enum(['up', 'down']),
    directory: z.enum(['up', 'down']),
    tokens: z.literal('revoked'),
    roles: texts,
    directoryRoles: texts,
    secrets: texts,
    certificates: texts,
    federatedTokens: texts,
    limiter: z
      .strictObject({
        kind: z.enum(['fixed-window', 'sliding-window', 'token-bucket']),
        writesPer20s: positive,
        requestsPer20s: positive,
        directoryUnitsPer10s: positive,
        retryAfter: z.enum(['seconds', 'fractional', 'http-date', 'none']),
        timeScale: z.number().positive(),
      })
      .partial(),
    faults: z.record(z.string(), z.record(z.string(), z.number())),
    latencyMs: z.tuple([notNegative, notNegative]),
    listLagMs: notNegative,
    filterSupport: z.enum(['yes', '400', '500', '501', 'finds-nothing']),
    profile: z.enum(PROFILE_NAMES).nullable(),
    troubles: z.record(z.string(), z.enum(TROUBLES)),
    longestText: positive.nullable(),
    pageSize: positive,
    tokenLifetimeS: positive,
    refreshInS: positive.nullable(),
  })
  .partial();

/** The changes in a JSON text, or why they are invalid. */
export function parseChanges(
  text: string,
): { kind: 'changes'; changes: Changes } | { kind: 'refused'; message: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { kind: 'refused', message: 'not JSON' };
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) return { kind: 'refused', message: z.prettifyError(parsed.error) };
  return { kind: 'changes', changes: parsed.data as Changes };
}

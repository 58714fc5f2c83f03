// Reads a bridge's readiness and status once, and maps them to a level and an exit code.
import { z } from 'zod';
import { readinessSchema, statusSchema, type Readiness } from '../../http/response/response-schemas.ts';
import { EXIT } from '../exit.ts';
import { ask, operate, OperatorError, type OperatorFlags } from './operator.ts';

/** An older bridge does not report what its tenants' Graph was seen to accept. */
export const shownStatusSchema = statusSchema.extend({
  tenants: z.array(statusSchema.shape.tenants.element.partial({ graph: true })),
});
export type ShownStatus = z.infer<typeof shownStatusSchema>;

export type BridgeStatus =
  | { kind: 'answers'; readiness: Readiness; /** Null while it cannot read its Redis. */ status: ShownStatus | null }
  /** Nothing answers there, or something other than a bridge. */
  | { kind: 'away' | 'elsewhere'; why: string };

export type Level = 'flows' | 'degraded' | 'failing' | 'away' | 'elsewhere';

export const EXIT_OF: Record<Level, number> = {
  flows: EXIT.ok,
  degraded: EXIT.degraded,
  failing: EXIT.later,
  away: EXIT.later,
  elsewhere: EXIT.unavailable,
};

const ANSWER_WITHIN_MS = 5000;

/** @throws OperatorError if trying again would not help: no token, or a wrong one */
export async function readBridgeStatus(flags: OperatorFlags): Promise<BridgeStatus> {
  try {
    const [readiness, status] = await Promise.all([
      ask(flags, '/readyz', { schema: readinessSchema, alsoWith: [503], withinMs: ANSWER_WITHIN_MS }),
      operate(flags, '/v1/status', { schema: shownStatusSchema, withinMs: ANSWER_WITHIN_MS }).catch(nullIfLater),
    ]);
    return { kind: 'answers', readiness, status };
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    if (error.exitCode === EXIT.later) return { kind: 'away', why: error.reason };
    if (error.exitCode === EXIT.unavailable) return { kind: 'elsewhere', why: error.reason };
    throw error;
  }
}

/** Throttling passes by itself, so without other trouble deliveries flow. */
export function levelOf(bridge: BridgeStatus): Level {
  if (bridge.kind !== 'answers') return bridge.kind;
  const { readiness, status } = bridge;
  if (readiness.status === 'failing' || status === null) return 'failing';
  const held = status.tenants.some(({ holds }) => holds.some(({ reason }) => reason !== 'throttled'));
  return held || readiness.status === 'degraded' ? 'degraded' : 'flows';
}

function nullIfLater(error: unknown): null {
  if (error instanceof OperatorError && error.exitCode === EXIT.later) return null;
  throw error;
}

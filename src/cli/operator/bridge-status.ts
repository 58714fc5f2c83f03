// Reads a bridge's readiness and status, and sums them up as a level, which has an exit code.
import { z } from 'zod';
import { readinessSchema, statusSchema, type Readiness } from '../../http/response/response-schemas.ts';
import { EXIT } from '../exit.ts';
import { callBridge, operate, OperatorError, type OperatorFlags } from './operator.ts';

/** The status, also of an older bridge, which does not report what each tenant's Graph has accepted. */
export const shownStatusSchema = statusSchema.extend({
  tenants: z.array(statusSchema.shape.tenants.element.partial({ graph: true })),
});
export type ShownStatus = z.infer<typeof shownStatusSchema>;

export type BridgeStatus =
  | { kind: 'answers'; readiness: Readiness; /** Null if it cannot be read now. */ status: ShownStatus | null }
  /** `unreachable`: nothing answers at the address, or with an error that may pass. `not-a-bridge`: something else answers there. */
  | { kind: 'unreachable' | 'not-a-bridge'; why: string };

/** How the bridge is, in one word; each has an exit code. */
export type Level = 'flows' | 'degraded' | 'failing' | 'unreachable' | 'not-a-bridge';

export const EXIT_OF: Record<Level, number> = {
  flows: EXIT.ok,
  degraded: EXIT.degraded,
  failing: EXIT.later,
  unreachable: EXIT.later,
  'not-a-bridge': EXIT.unavailable,
};

const ANSWER_WITHIN_MS = 5000;

/**
 * Asks once. A bridge that does not answer is a result, not an error.
 * @throws OperatorError if asking again would not help: no token, or a wrong one
 */
export async function readBridgeStatus(flags: OperatorFlags): Promise<BridgeStatus> {
  try {
    const [readiness, status] = await Promise.all([
      callBridge(flags, '/readyz', { schema: readinessSchema, alsoWith: [503], withinMs: ANSWER_WITHIN_MS }),
      operate(flags, '/v1/status', { schema: shownStatusSchema, withinMs: ANSWER_WITHIN_MS }).catch(nullIfLater),
    ]);
    return { kind: 'answers', readiness, status };
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    if (error.exitCode === EXIT.later) return { kind: 'unreachable', why: error.reason };
    if (error.exitCode === EXIT.unavailable) return { kind: 'not-a-bridge', why: error.reason };
    throw error;
  }
}

/** A throttle alone does not lower the level, since it passes by itself. */
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

// How a bridge is at one moment: its readiness and status, or why it says nothing; and what a script branches on.
import type { Readiness, Status } from '../http/answers.ts';
import { EXIT } from './exit.ts';
import { operate, OperatorError, reasonOf, routeOf, type OperatorFlags } from './operator.ts';

export type Situation =
  | { kind: 'answers'; readiness: Readiness; /** Null while it cannot read its Redis. */ status: Status | null }
  | { kind: 'away'; why: string };

export type Level = 'flows' | 'degraded' | 'failing' | 'away';

export const EXIT_OF: Record<Level, number> = {
  flows: EXIT.ok,
  degraded: EXIT.degraded,
  failing: EXIT.later,
  away: EXIT.later,
};

const ANSWER_WITHIN_MS = 5000;

/** @throws OperatorError where asking again would not help: no token, or a wrong one */
export async function readSituation(flags: OperatorFlags): Promise<Situation> {
  try {
    const [readiness, status] = await Promise.all([
      readReadiness(flags),
      operate<Status>(flags, '/v1/status', undefined, ANSWER_WITHIN_MS).catch(nullIfLater),
    ]);
    return { kind: 'answers', readiness, status };
  } catch (error) {
    if (error instanceof OperatorError) throw error;
    return { kind: 'away', why: reasonOf(error) };
  }
}

/** Throttling passes by itself: with nothing else, deliveries flow. */
export function levelOf(situation: Situation): Level {
  if (situation.kind === 'away') return 'away';
  const { readiness, status } = situation;
  if (readiness.status === 'failing' || status === null) return 'failing';
  const held = status.tenants.some(({ holds }) => holds.some(({ reason }) => reason !== 'throttled'));
  return held || readiness.status === 'degraded' ? 'degraded' : 'flows';
}

async function readReadiness({ url }: OperatorFlags): Promise<Readiness> {
  const response = await fetch(routeOf(url, '/readyz'), { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
  const answer = (await response.json().catch(() => null)) as Partial<Readiness> | null;
  if (typeof answer?.status !== 'string' || answer.checks === undefined) {
    throw new Error(`${response.status} and no readiness: is this the bridge?`);
  }
  return { status: answer.status, checks: answer.checks };
}

function nullIfLater(error: unknown): null {
  if (error instanceof OperatorError && error.exitCode === EXIT.later) return null;
  throw error;
}

// Replays at a rate in several tenants: started in each, listed together, and paused, resumed or cancelled with a line for the audit.
import type { Response } from 'express';
import type { DeadLetterFilter } from '../../domain/operations/dead-letter.ts';
import type { Replay, ReplayOperation } from '../../domain/replay/replay.ts';
import type { AskQueue } from '../request/ask-queue.ts';
import { contextOf } from '../request/context.ts';
import { Refused } from '../response/problem.ts';
import { toReplayView, type ReplayStarted, type ReplayView } from '../response/replay-schemas.ts';
import { audit, type AuditParts } from './audit.ts';
import type { ServedTenant } from './served-tenant.ts';

/** Of all tenants together; those of one tenant are bounded by what is kept. */
const LISTED = 500;

export type ReplayContext = { parts: AuditParts; res: Response; askQueue: AskQueue };

/**
 * Starts one in each tenant in which anything matches, unless one is open in any of them.
 * @throws Refused `replay-running` if one is
 */
export async function startReplays(
  tenants: readonly ServedTenant[],
  { filter, perSecond }: { filter: DeadLetterFilter; perSecond: number },
  { parts, res, askQueue }: ReplayContext,
): Promise<ReplayStarted> {
  const open = await askQueue(Promise.all(tenants.map(({ replays }) => replays.findOpen())));
  refuseWhileOpen(open.filter((replay) => replay !== null));
  const { appId } = contextOf(res);
  const asked = tenants.map(async ({ replays }) => {
    const answer = await replays.start(filter, { perSecond, by: appId });
    // Also where another tenant's fails, so that the request is refused.
    if (answer.kind === 'started') report('replay-start', { replay: answer.replay, changed: true }, { parts, res });
    return answer;
  });
  const answers = await askQueue(Promise.all(asked));
  const started = answers.flatMap((answer) => (answer.kind === 'started' ? [answer.replay] : []));
  // Another operator was faster. What was started elsewhere meanwhile goes on, and is listed.
  if (started.length === 0 && answers.some(({ kind }) => kind === 'open')) refuseWhileOpen([null]);
  const matched = started.reduce((sum, replay) => sum + replay.matched, 0);
  return { matched, replayed: 0, replays: started.map(toReplayView) };
}

function refuseWhileOpen(open: readonly (Replay | null)[]): void {
  if (open.length === 0) return;
  const [first] = open;
  const which = first ? `${first.id} of the tenant ${first.tenantId}` : 'another one';
  throw new Refused({
    code: 'replay-running',
    detail: `${which} has not ended: wait for it, or cancel it`,
  });
}

/** Newest first. */
export async function listReplays(tenants: readonly ServedTenant[]): Promise<ReplayView[]> {
  const lists = await Promise.all(tenants.map(({ replays }) => replays.list()));
  const newestFirst = lists.flat().sort((a, b) => b.startedAt - a.startedAt);
  return newestFirst.slice(0, LISTED).map(toReplayView);
}

/** @throws Refused if there is no such replay, or it has ended */
export async function changeReplay(
  tenants: readonly ServedTenant[],
  { id, operation }: { id: string; operation: ReplayOperation },
  { parts, res, askQueue }: ReplayContext,
): Promise<ReplayView> {
  const answers = await askQueue(Promise.all(tenants.map(({ replays }) => replays.change(id, operation))));
  const answer = answers.find(({ kind }) => kind !== 'unknown');
  if (!answer || answer.kind === 'unknown') {
    throw new Refused({ code: 'not-found', detail: 'there is no such replay' });
  }
  const { kind, replay } = answer;
  if (kind === 'ended') throw new Refused({ code: 'replay-ended', detail: `it is ${replay.state}` });
  report(`replay-${operation}`, { replay, changed: kind === 'changed' }, { parts, res });
  return toReplayView(replay);
}

function report(
  operation: 'replay-start' | `replay-${ReplayOperation}`,
  { replay, changed }: { replay: Replay; changed: boolean },
  { parts, res }: Pick<ReplayContext, 'parts' | 'res'>,
): void {
  const { id, tenantId, filter, perSecond, matched, replayed, skipped, startedAt, endedAt } = replay;
  const did = { filter, perSecond, matched, replayed, skipped };
  const seconds = endedAt === null ? {} : { seconds: (endedAt - startedAt) / 1000 };
  audit(parts, res, { operation, tenantId, replayId: id, ...did, ...seconds, changed });
}

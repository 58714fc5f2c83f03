// `replay --rate` and `replay list|pause|resume|cancel`: replays at a rate, which go on in the bridge.
import {
  replaySchema,
  replaysSchema,
  replayStartedSchema,
  type ReplayView,
} from '../../../http/response/replay-schemas.ts';
import { toInstantText } from '../../../domain/operations/history.ts';
import { EXIT } from '../../exit.ts';
import { print, printJson } from '../../out.ts';
import { toTable } from '../../table.ts';
import { operate, OperatorError, type OperatorFlags } from '../operator.ts';

export type ReplaysFlags = OperatorFlags & { json?: true };

/** Starts one in each tenant in which anything matches, and says how to follow it. */
export async function startReplay(
  flags: OperatorFlags,
  body: { filter: Record<string, string>; perSecond: number },
): Promise<void> {
  const { replays } = await operate(flags, '/v1/dead-letters/replay', { schema: replayStartedSchema, body });
  if (replays.length === 0) {
    print('Nothing matches any more.');
    return;
  }
  print(...toRows(replays), 'It goes on in the background: see replay list, and replay pause, resume or cancel.');
}

export async function listReplays(flags: ReplaysFlags): Promise<void> {
  const { replays } = await operate(flags, '/v1/replays', { schema: replaysSchema });
  if (flags.json) printJson(replays);
  else print(...(replays.length === 0 ? ['No replay at a rate lately.'] : toRows(replays)));
}

export async function changeReplay(id: string, operation: string, flags: ReplaysFlags): Promise<void> {
  if (!/^[\w-]{1,64}$/.test(id)) throw new OperatorError('that is no replay’s id: see replay list', EXIT.usage);
  const replay = await operate(flags, `/v1/replays/${id}/${operation}`, { schema: replaySchema, body: {} });
  print(...toRows([replay]));
}

function toRows(replays: readonly ReplayView[]): string[] {
  const head = ['replay', 'tenant', 'state', 'matched', 'replayed', 'skipped', 'a second', 'started', 'filter'];
  const rows = replays.map(({ id, tenant, state, matched, replayed, skipped, perSecond, startedAt, filter }) => {
    const what = Object.entries(filter).map(([name, value]) => `${name} ${value}`);
    const at = toInstantText(Date.parse(startedAt));
    return [id, tenant, state, matched, replayed, skipped, perSecond, at, what.join(', ') || 'all'];
  });
  return toTable(head, rows);
}

export function toDuration(seconds: number): string {
  if (seconds < 120) return `${Math.ceil(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

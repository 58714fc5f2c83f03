// What `move` says while it works, and how it ended.
import { STATUSES } from '../../domain/delivery.ts';
import type { MoveEnded, MoveEvents } from '../../queue/redis/move/move-tenant.ts';
import type { Cancelled } from '../../queue/redis/move/end-move.ts';
import { printError } from '../out.ts';

/** How the other uses of the command end. */
export type Ended = Cancelled | { kind: 'finished'; removed: number };

export function createMoveProgress(tenantId: string): MoveEvents {
  const say = (text: string) => printError(`${tenantId}: ${text}`);
  return {
    passed: ({ number, isClosed, keys, bytes, written, removed, durationMs }) =>
      say(
        `pass ${number}${isClosed ? ', source closed' : ''}: ${keys} keys, ${mb(bytes)}, ${written} written, ${removed} removed, ${seconds(durationMs)}`,
      ),
    draining: (delivering) => say(`no attempt begins any more, ${delivering} are under way`),
    closed: () => say('closed: submissions are refused for now'),
    waiting: (delivering, waitMs) =>
      say(`${delivering} attempts had not ended: waiting ${seconds(waitMs)} until they can no longer arrive`),
  };
}

type Named = { source: { name: string }; target: { name: string } | null };

export function describeEnd(end: MoveEnded | Ended, { source, target }: Named): string {
  const to = target?.name ?? 'the target';
  switch (end.kind) {
    case 'moved': {
      const statuses = STATUSES.map((status) => `${status} ${end.deliveries[status]}`).join(', ');
      return `moved to ${to}: ${end.keys} keys, ${mb(end.bytes)}, each read as equal on both sides; ${statuses}; submissions were refused for ${seconds(end.closedMs)}`;
    }
    case 'moved-before':
      return `was moved to ${end.peer} at ${end.at}: nothing was changed`;
    case 'prepared':
      return `closed at ${to}: start processes there, and then move`;
    case 'none':
      return `no move from ${source.name} is under way: nothing was changed`;
    case 'cancelled':
      return `cancelled: ${source.name} goes on, and ${describeCopy(end, to)}`;
    case 'cleared':
      return `${end.removed} keys that a cancelled move had copied were removed from ${to}`;
    case 'finished':
      return `${end.removed} keys were removed from ${source.name}`;
  }
}

function describeCopy({ copy, removed }: Extract<Ended, { kind: 'cancelled' }>, to: string): string {
  switch (copy) {
    case 'removed':
      return `${removed} keys were removed from ${to}, where the tenant stays closed`;
    case 'nothing':
      return `${to} had nothing of it`;
    case 'left':
      return 'what was copied is still at the target, closed: name it with --to to have it removed';
  }
}

const mb = (bytes: number) => `${(bytes / 1_000_000).toFixed(1)} MB`;
const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;

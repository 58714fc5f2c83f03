// A tenant's queue for bull-board: read-only, and showing only job ids.
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { Queue } from 'bullmq';
import { DEFAULT_TENANT } from '../config/tenants/tenant.ts';
import { QUEUE_NAME } from './redis/keys.ts';
import type { Tenant } from './tenant.ts';

export type QueueBoard = { board: BullMQAdapter; close: () => Promise<void> };

/** Opens the view on the tenant's existing connection. */
export function openBoard({ redis, keys, id }: Pick<Tenant, 'redis' | 'keys' | 'id'>): QueueBoard {
  const queue = new Queue(QUEUE_NAME, {
    connection: redis,
    prefix: keys.root,
    skipWaitingForReady: true,
    skipVersionCheck: true,
  });
  queue.on('error', () => undefined);
  const board = new BullMQAdapter(queue, {
    readOnlyMode: true,
    displayName: `deliveries of ${id}`,
    // Of queues with one name only the last would be shown.
    prefix: id === DEFAULT_TENANT ? '' : `${id}-`,
  });
  // Our jobs have none of these; should one ever contain any, it would not be shown.
  for (const field of ['data', 'returnValue', 'progress'] as const) board.setFormatter(field, () => ({}));
  return { board, close: () => queue.close() };
}

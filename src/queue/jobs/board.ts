// The queue of jobs for bull-board: read-only, and showing only job ids.
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import type { JobQueue } from './job-queue.ts';

export function createBoard({ queue }: Pick<JobQueue, 'queue'>): BullMQAdapter {
  const board = new BullMQAdapter(queue, { readOnlyMode: true, displayName: 'jobs of deliveries' });
  // Our jobs have none of these; should one ever contain any, it would not be shown.
  for (const field of ['data', 'returnValue', 'progress'] as const) board.setFormatter(field, () => ({}));
  return board;
}

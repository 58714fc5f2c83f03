// What a command that works on a move has: both ends of one tenant, and the words in which processes are told.
import { randomUUID } from 'node:crypto';
import { createKeys, type Keys } from '../keys.ts';
import type { OpenRedis } from '../open-redis.ts';
import { createSourceEnd, createTargetEnd, type SourceEnd, type TargetEnd } from './ends.ts';

/** One of the two Redis. `name` says in words, without credentials, which. */
export type MoveRedis = Pick<OpenRedis, 'connection' | 'prefix' | 'jobs'> & { name: string };

/** The move cannot be done as asked, or not any more. */
export class MoveRefused extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'MoveRefused';
  }
}

export type Ends = { keys: Keys; run: string; from: SourceEnd; to: TargetEnd };

export function openEnds(
  { source, target }: { source: Pick<MoveRedis, 'connection' | 'prefix'>; target: Pick<MoveRedis, 'connection'> },
  tenantId: string,
): Ends {
  const keys = createKeys(source.prefix, tenantId);
  const run = randomUUID();
  return {
    keys,
    run,
    from: createSourceEnd({ connection: source.connection, keys, run }),
    to: createTargetEnd({ connection: target.connection, keys, run }),
  };
}

/** What processes at either end say of a tenant that is closed there; they put `left alone: ` before it. */
export const TOLD = {
  leaving: (to: string) => `the data is being moved to ${to}`,
  gone: (to: string) => `the data has moved to ${to}: point this process at it`,
  arriving: (from: string) => `the data is being moved here from ${from}, and is not complete yet`,
  cancelled: (from: string) => `moving the data here from ${from} was cancelled: point this process at that one`,
};

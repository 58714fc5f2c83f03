// Waits until the replicas of a tenant's server have what was written to it, where there are any.
import type { RedisConnection } from '../connection.ts';
import { readInfoField, serverOf } from './tenant-server.ts';

/** Not all replicas have what was written: a failover now could lose it. */
export class NotConfirmed extends Error {
  constructor(confirmed: number, replicas: number) {
    super(`${confirmed} of ${replicas} replicas have confirmed what was written`);
    this.name = 'NotConfirmed';
  }
}

/** Less than the lock of a move lasts: the wait holds up all other commands of the connection, also its renewal. */
const WITHIN_MS = 3000;
/** A replica that has to be sent all of the data again takes this long. */
const CATCHES_UP_WITHIN_MS = 60_000;

/**
 * To be called on the connection that wrote, after a write.
 * @param root prefix of the tenant's keys
 * @throws NotConfirmed
 */
export async function confirmReplicas(connection: RedisConnection, root: string): Promise<void> {
  const server = await serverOf(connection, root);
  // Without the right to ask, nothing is known of replicas.
  const replicas = Number((await readInfoField(server, 'replication', 'connected_slaves')) ?? 0);
  if (replicas === 0) return;
  const confirmed = await server.wait(replicas, WITHIN_MS);
  if (confirmed < replicas) throw new NotConfirmed(confirmed, replicas);
}

/** The same where much was written. @throws NotConfirmed, or the signal's reason */
export async function awaitReplicas(connection: RedisConnection, root: string, signal: AbortSignal): Promise<void> {
  const giveUpAt = performance.now() + CATCHES_UP_WITHIN_MS;
  for (;;) {
    try {
      await confirmReplicas(connection, root);
      return;
    } catch (error) {
      if (!(error instanceof NotConfirmed) || performance.now() > giveUpAt) throw error;
      signal.throwIfAborted();
    }
  }
}

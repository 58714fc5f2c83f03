// Ensures that a connection sends commands only to the configured database.
import type { AbstractConnector, Redis } from 'ioredis';
import { isMisplaced } from './redis-errors.ts';

/**
 * If SELECT is refused (no such database, no permission, a cluster node), ioredis emits the error and continues in
 * database 0. With this guard the connection is closed and retried instead. Its duplicates are guarded too.
 */
export function guardDatabase(redis: Redis): Redis {
  let misplaced = false;
  redis.on('connect', () => (misplaced = false));
  redis.on('error', (error) => (misplaced ||= isMisplaced(error)));
  // ioredis asks its connector whether to use a connection, after the handshake with SELECT and before any command.
  const { connector } = redis as unknown as { connector: AbstractConnector };
  const check = connector.check.bind(connector);
  connector.check = (info) => !misplaced && check(info);
  const duplicate = redis.duplicate.bind(redis);
  redis.duplicate = (override) => guardDatabase(duplicate(override));
  return redis;
}

// A connection that takes no command unless it is with the database that was asked for.
import type { AbstractConnector, Redis } from 'ioredis';
import { isMisplaced } from './refusals.ts';

/**
 * Where SELECT is refused – no such database, no right to it, a cluster's node – ioredis emits the error and continues
 * in database 0. This one is never ready there: it closes the connection and tries again. So do its duplicates.
 */
export function placed(redis: Redis): Redis {
  let misplaced = false;
  redis.on('connect', () => (misplaced = false));
  redis.on('error', (error) => (misplaced ||= isMisplaced(error)));
  // ioredis asks its connector whether a connection will do, once the handshake is over and before anything is sent.
  const { connector } = redis as unknown as { connector: AbstractConnector };
  const check = connector.check.bind(connector);
  connector.check = (info) => !misplaced && check(info);
  const duplicate = redis.duplicate.bind(redis);
  redis.duplicate = (override) => placed(duplicate(override));
  return redis;
}

// Keeps a connection that Sentinel moves to another primary from ending for good.
import type { AbstractConnector, Redis } from 'ioredis';

/**
 * When Sentinel announces a new primary, ioredis closes its connector so that the connection is made again. If that
 * happens while the connection is being made already, as after the old primary died, ioredis takes the closed connector
 * for the caller's wish, and the connection ends for ever. Here such an announcement changes nothing: the connection
 * under way asks Sentinel for the primary, and its role is checked before it is used. The same goes for its duplicates.
 */
export function surviveFailover(redis: Redis): Redis {
  const internals = redis as unknown as { connector: AbstractConnector; manuallyClosing?: boolean };
  const { connector } = internals;
  const disconnect = connector.disconnect.bind(connector);
  connector.disconnect = () => {
    if (redis.status !== 'connecting' || internals.manuallyClosing) disconnect();
  };
  const duplicate = redis.duplicate.bind(redis);
  redis.duplicate = (override) => surviveFailover(duplicate(override));
  return redis;
}

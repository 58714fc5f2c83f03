// Keeps a connection that Sentinel moves to another primary from ending for good, and from staying with the old one.
import type { AbstractConnector, Redis } from 'ioredis';

/**
 * When Sentinel announces a new primary, ioredis closes its connector so that the connection is made again. If that
 * happens while the connection is being made already, as after the old primary died, ioredis takes the closed connector
 * for the caller's wish, and the connection ends for ever. Here the connection is made first and then once more: the
 * address may come from a sentinel that did not know of the new primary, and the old one may still call itself one.
 * The same goes for its duplicates.
 */
export function surviveFailover(redis: Redis): Redis {
  const internals = redis as unknown as { connector: AbstractConnector; manuallyClosing?: boolean };
  const { connector } = internals;
  const disconnect = connector.disconnect.bind(connector);
  const connectAgain = () => {
    if (!internals.manuallyClosing) disconnect();
  };
  connector.disconnect = () => {
    if (redis.status !== 'connecting' || internals.manuallyClosing) {
      disconnect();
      return;
    }
    redis.off('connect', connectAgain).once('connect', connectAgain);
    // If nothing answers at the address, Sentinel is asked again anyway.
    redis.once('close', () => redis.off('connect', connectAgain));
  };
  const duplicate = redis.duplicate.bind(redis);
  redis.duplicate = (override) => surviveFailover(duplicate(override));
  return redis;
}

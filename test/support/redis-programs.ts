// Which server the tests start: redis-server from the PATH, or another version or a fork of it, as REDIS_SERVER says.
import { basename, dirname, join } from 'node:path';

const chosen = process.env['REDIS_SERVER'];

export const REDIS_SERVER = chosen ?? 'redis-server';
/** The client of the same kind, from the same directory: `valkey-cli` beside `valkey-server`. */
export const REDIS_CLI =
  chosen === undefined ? 'redis-cli' : join(dirname(chosen), basename(chosen).replace('server', 'cli'));

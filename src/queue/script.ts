// Lua scripts on Redis: called by hash, sent again when Redis forgot them.
import type { RedisConnection } from './redis.ts';

export type Script = (keys: readonly string[], args: readonly (string | number)[]) => Promise<unknown>;

/** Defines a script on a connection. Replies come as Redis gives them: numbers, strings, null, arrays. */
export function defineScript(redis: RedisConnection, name: string, lua: string): Script {
  redis.defineCommand(name, { lua });
  return (keys, args) => {
    const command = (redis as unknown as Record<string, (...all: (string | number)[]) => Promise<unknown>>)[name];
    if (!command) throw new Error(`script ${name} is not defined`);
    return command.call(redis, keys.length, ...keys, ...args);
  };
}

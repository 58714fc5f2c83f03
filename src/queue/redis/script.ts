// Lua scripts on Redis: called by hash, sent again when Redis forgot them, and answered once however often a call arrives.
import { randomBytes } from 'node:crypto';
import { besideKey } from './keys.ts';
import type { RedisConnection } from './connection.ts';

/** Replies come as Redis gives them: numbers, strings, null, arrays. The first key tells whose data it is; there must be one. */
export type Script = (keys: readonly string[], args: readonly (string | number)[]) => Promise<unknown>;

/** From a reply that was lost to the same call arriving again: the longest outage after which it is still recognised. */
const REMEMBERED_MS = 3_600_000;

/**
 * ioredis sends a command again whose reply was lost with its connection, though Redis may have executed it. So each call
 * carries a nonce, and its reply is kept beside the data until the same caller's next call in the same lane.
 */
const ONCE = `
local CALL, NONCE = table.remove(KEYS), table.remove(ARGV)
local kept = redis.call('GET', CALL)
if kept and string.sub(kept, 1, #NONCE) == NONCE then return cmsgpack.unpack(string.sub(kept, #NONCE + 1)) end`;
const KEEP = `
if keep ~= false then
  if keep == nil then keep = reply end
  redis.call('SET', CALL, NONCE .. cmsgpack.pack(keep), 'PX', ${REMEMBERED_MS})
end
return reply`;

/**
 * Defines a script that changes something. A call that arrives twice runs once, and both are answered alike. What the
 * script returns second, if anything, is kept in place of its reply; `false`: nothing was changed, so nothing is kept.
 */
export function defineScript(redis: RedisConnection, name: string, lua: string): Script {
  const call = defineQuery(
    redis,
    name,
    `${ONCE}\nlocal function run()\n${lua}\nend\nlocal reply, keep = run()\n${KEEP}`,
  );
  const lanes = lanesOf(redis);
  return async (keys, args) => {
    const lane = lanes.take();
    try {
      const reply = await call([...keys, besideKey(keys[0] ?? '', `call:${lane.name}`)], [...args, lane.nonce]);
      lanes.giveBack(lane);
      return reply;
    } catch (error) {
      if (error instanceof Error && error.name === 'ReplyError') lanes.giveBack(lane);
      throw error;
    }
  };
}

/** Defines a script that only reads, or whose answer is the same however often it runs. */
export function defineQuery(redis: RedisConnection, name: string, lua: string): Script {
  redis.defineCommand(name, { lua });
  return (keys, args) => {
    const command = (redis as unknown as Record<string, (...all: (string | number)[]) => Promise<unknown>>)[name];
    if (!command) throw new Error(`script ${name} is not defined`);
    return command.call(redis, keys.length, ...keys, ...args);
  };
}

/** One call at a time is in a lane, so Redis keeps one reply for each: as many as calls were ever under way at once. */
type Lane = { name: string; nonce: string };

/** @returns the lanes of a connection. One whose call was given up is not used again: the call may still arrive. */
function createLanes() {
  const caller = randomBytes(6).toString('base64url');
  const free: string[] = [];
  let [lanes, calls] = [0, 0];
  return {
    take: (): Lane => ({ name: free.pop() ?? `${caller}:${lanes++}`, nonce: `${calls++};` }),
    giveBack: ({ name }: Lane) => void free.push(name),
  };
}

const lanesByConnection = new WeakMap<RedisConnection, ReturnType<typeof createLanes>>();

function lanesOf(redis: RedisConnection) {
  const lanes = lanesByConnection.get(redis) ?? createLanes();
  lanesByConnection.set(redis, lanes);
  return lanes;
}

// The Lua scripts of a connection: called by hash, resent if Redis lost them, and executed once even if a call arrives twice.
import { randomBytes } from 'node:crypto';
import { assemble, type Wrapped } from '../lua/assemble.ts';
import { besideKey } from './keys.ts';
import type { RedisConnection } from './connection.ts';
import { toLeftAlone } from '../store/left-alone.ts';

/** Replies are as Redis returns them: numbers, strings, null, arrays. At least one key is needed: it selects the cluster node. */
export type Script = (keys: readonly string[], args: readonly (string | number | Buffer)[]) => Promise<unknown>;

/**
 * `change`: a call that arrives twice must run only once · `query`: repeating it does no harm. Neither runs on the data of a
 * newer version or of a tenant that is moved · `any-format`: nor does that matter to it.
 */
type Kind = 'change' | 'query' | 'any-format';

const SCRIPTS = {
  'announcements/begin-round': 'any-format',
  'announcements/end-batch': 'any-format',
  'announcements/note-changes': 'change',
  'announcements/read-facts': 'query',
  'announcements/take-batch': 'change',
  'budget/acquire-permit': 'change',
  'budget/change-holds': 'change',
  'budget/end-backoff': 'change',
  'budget/end-throttle': 'change',
  'budget/note-fact': 'query',
  'budget/read-holds': 'query',
  'budget/set-graph': 'query',
  'budget/throttle': 'change',
  'devices/add-reports': 'query',
  'devices/count-device': 'change',
  'devices/list-reports': 'query',
  'devices/read-reports': 'query',
  'devices/restore-device': 'change',
  'devices/revoke-device': 'change',
  'devices/reseal-names': 'query',
  'devices/retire-device': 'change',
  'devices/sweep-reports': 'query',
  'directory/begin-hold': 'change',
  'directory/claim-probe': 'change',
  'directory/drop-device': 'query',
  'directory/end-hold': 'change',
  'directory/fail-probe': 'change',
  'directory/forget-device': 'change',
  'directory/note-use': 'query',
  'directory/save-absent': 'query',
  'directory/save-device': 'query',
  'index/add-missing': 'query',
  'index/find-run': 'query',
  'index/list-rows': 'query',
  'index/sweep-chunks': 'query',
  'jobs/shorten-locks': 'any-format',
  'move/apply': 'any-format',
  'move/change-source': 'any-format',
  'move/change-target': 'any-format',
  'move/claim-target': 'any-format',
  'move/describe': 'any-format',
  'move/release-lock': 'any-format',
  'move/take-lock': 'any-format',
  'redis/check-format': 'query',
  'redis/read-memory': 'any-format',
  'redis/read-time': 'any-format',
  'redis/try-write': 'any-format',
  'replays/change-state': 'change',
  'replays/claim-slice': 'change',
  'replays/collect': 'query',
  'replays/release-lease': 'query',
  'replays/skip-claimed': 'change',
  'replays/start-replay': 'change',
  'store/accept-deliveries': 'change',
  'store/find-compacted': 'query',
  'store/find-newer': 'query',
  'store/forget-delivery': 'change',
  'store/park-delivery': 'change',
  'store/promote-deliveries': 'change',
  'store/purge-dead-letter': 'change',
  'store/put-off': 'change',
  'store/read-owners': 'query',
  'store/read-snapshot': 'change',
  'store/read-wait': 'change',
  'store/save-delivery': 'change',
  'store/settle-fingerprint-secret': 'query',
} as const satisfies Record<string, Kind>;

export type ScriptName = keyof typeof SCRIPTS;

export const SCRIPT_NAMES = Object.keys(SCRIPTS) as ScriptName[];

const WRAPPED: Record<Kind, Wrapped> = { change: 'once', query: 'checked', 'any-format': 'bare' };

/** The full text of a script, as sent to Redis. */
export const scriptText = (name: ScriptName): string => assemble(name, WRAPPED[SCRIPTS[name]]);

/**
 * Redis stores the reply to a lane's latest call, and a lane carries one call at a time, so there are as many lanes as
 * there ever were concurrent calls. The nonce distinguishes a call from the previous one.
 */
type Lane = { name: string; nonce: string };

type Registry = { defined: Map<ScriptName, Script>; takeLane: () => Lane; returnLane: (lane: Lane) => void };

const registries = new WeakMap<RedisConnection, Registry>();

/** @returns a script of this connection, defined on first use; calls throw LeftAlone where it must not work on the data */
export function scriptOf(redis: RedisConnection, name: ScriptName): Script {
  const registry = registries.get(redis) ?? createRegistry();
  registries.set(redis, registry);
  const script = registry.defined.get(name) ?? define(redis, name, registry);
  registry.defined.set(name, script);
  return script;
}

function createRegistry(): Registry {
  const caller = randomBytes(6).toString('base64url');
  const free: string[] = [];
  let [lanes, calls] = [0, 0];
  return {
    defined: new Map(),
    takeLane: () => ({ name: free.pop() ?? `${caller}:${lanes++}`, nonce: `${calls++};` }),
    returnLane: ({ name }) => void free.push(name),
  };
}

function define(redis: RedisConnection, name: ScriptName, { takeLane, returnLane }: Registry): Script {
  redis.defineCommand(name, { lua: scriptText(name) });
  const command = (redis as unknown as Record<string, (...all: (string | number | Buffer)[]) => Promise<unknown>>)[
    name
  ];
  if (!command) throw new Error(`script ${name} is not defined`);
  const call: Script = (keys, args) => command.call(redis, keys.length, ...keys, ...args);
  if (SCRIPTS[name] !== 'change') return (keys, args) => call(keys, args).catch(rethrow);
  return async (keys, args) => {
    const lane = takeLane();
    try {
      const reply = await call([...keys, besideKey(keys[0] ?? '', `call:${lane.name}`)], [...args, lane.nonce]);
      returnLane(lane);
      return reply;
    } catch (error) {
      // After any other error the call may still arrive, so its lane is not reused.
      if (error instanceof Error && error.name === 'ReplyError') returnLane(lane);
      return rethrow(error);
    }
  };
}

function rethrow(error: unknown): never {
  throw toLeftAlone(error);
}

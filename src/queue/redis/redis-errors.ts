// Error replies from Redis: which of them call for reconnecting, possibly to another server, and the latest of each kind.

/**
 * The server currently accepts no commands or no writes: it became a replica, lost its disk or its replicas, is loading, or
 * no longer accepts our credentials. Its name may point to another server by now, so we reconnect.
 */
const UNAVAILABLE_CODES = [
  'READONLY',
  'UNBLOCKED',
  'MASTERDOWN',
  'NOREPLICAS',
  'MISCONF',
  'LOADING',
  'BUSY',
  'CLUSTERDOWN',
  'NOAUTH',
  'WRONGPASS',
];

/** In the reply to a command, to a script in Redis 7, and to a script in Redis 6, which puts the code in the middle. */
const REFUSED = new RegExp(`^(?:ERR .*: -)?((?:${UNAVAILABLE_CODES.join('|')})\\b.*?)(?: script: .*)?$`, 's');
const DENIED = /NOPERM|The user executing the script can't|ACL failure in script/;
/**
 * Commands that are not essential: checks that use INFO and CONFIG report denials themselves, and CLIENT only names
 * connections and lists them for the queue's board.
 */
const OPTIONAL_COMMANDS: readonly unknown[] = ['info', 'config', 'client'];

const nameOf = ({ command }: RedisReplyError) => String(command?.name).toLowerCase();

type RedisReplyError = Error & { command?: { name?: unknown } };

type Reply = { text: string; at: number };

export type RedisErrors = {
  /** Records an error of a connection. @returns whether to reconnect */
  note: (error: Error) => boolean;
  /** Why commands were not executed, if that happened within this time. */
  lastUnavailable: (withinMs: number) => string | null;
  /** Which permission was missing, if that happened within this time. */
  lastDenied: (withinMs: number) => string | null;
};

/** The error replies on all connections with the same configuration. */
export function createRedisErrors(clock: () => number): RedisErrors {
  let unavailable: Reply = { text: '', at: -Infinity };
  let denied: Reply = { text: '', at: -Infinity };
  const within = ({ text, at }: Reply, withinMs: number) => (clock() - at < withinMs ? text : null);
  return {
    note: (error: RedisReplyError) => {
      const refusal = refusalOf(error);
      if (refusal !== null) unavailable = { text: refusal, at: clock() };
      else if (isMisplaced(error)) unavailable = { text: `${error.message} (SELECT)`, at: clock() };
      else if (DENIED.test(error.message) && !OPTIONAL_COMMANDS.includes(nameOf(error))) {
        denied = { text: error.message, at: clock() };
      }
      return refusal !== null;
    },
    lastUnavailable: (withinMs) => within(unavailable, withinMs),
    lastDenied: (withinMs) => within(denied, withinMs),
  };
}

/** Why the server refused, in its own words; null if the error is of another kind. */
export function refusalOf({ message }: Error): string | null {
  return REFUSED.exec(message)?.[1] ?? null;
}

/** Codes of faults in a command or script itself; all other codes concern the server or our permissions. */
const COMMAND_FAULT_CODES = ['ERR', 'WRONGTYPE', 'CROSSSLOT'];
const CODE = /^(?:ERR .*: -)?([A-Z]+)\b/s;

/** ioredis's message when cluster nodes kept refusing or redirecting a command, as while a slot is migrated. */
const REDIRECTED_TOO_OFTEN = 'Too many Cluster redirections';

/** Whether Redis refused because of its own state: memory, disk, replicas or our permissions. */
export function isRefused(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  if (error.message.startsWith(REDIRECTED_TOO_OFTEN)) return true;
  if (error.name !== 'ReplyError') return false;
  return DENIED.test(error.message) || !COMMAND_FAULT_CODES.includes(CODE.exec(error.message)?.[1] ?? 'ERR');
}

/** Selecting the configured database was refused: commands would go to a different one. */
export const isMisplaced = (error: RedisReplyError): boolean => nameOf(error) === 'select';

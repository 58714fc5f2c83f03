// What Redis says instead of doing it: which answers mean that another server is to be asked, and what was last said.

/**
 * The server at the other end takes no commands at present, or no writes: it became a replica, lost its disk or its
 * replicas, is loading, or no longer knows us. The name may lead to another one by now, so we connect again.
 */
const NOT_HERE = [
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

/** As it is said to a command, to a script by Redis 7, and to one by Redis 6, which has it in the middle. */
const REFUSED = new RegExp(`^(?:ERR .*: -)?((?:${NOT_HERE.join('|')})\\b.*?)(?: script: .*)?$`, 's');
const DENIED = /NOPERM|The user executing the script can't/;
/**
 * Commands we can do without: the checks that use INFO and CONFIG report it themselves; CLIENT only names connections and lists
 * them for the queue's board.
 */
const DISPENSABLE: readonly unknown[] = ['info', 'config', 'client'];

const nameOf = ({ command }: RedisReplyError) => String(command?.name).toLowerCase();

type RedisReplyError = Error & { command?: { name?: unknown } };

export type Said = { text: string; at: number };

export type Refusals = {
  /** Notes an error that came from a connection. @returns whether to reconnect */
  note: (error: Error) => boolean;
  /** What kept commands from being done, if that was within this time. */
  lastNotHere: (withinMs: number) => string | null;
  /** Which right was missed, if that was within this time. */
  lastDenied: (withinMs: number) => string | null;
};

/** What was said on all connections of one recipe. */
export function createRefusals(clock: () => number): Refusals {
  let notHere: Said = { text: '', at: -Infinity };
  let denied: Said = { text: '', at: -Infinity };
  const within = ({ text, at }: Said, withinMs: number) => (clock() - at < withinMs ? text : null);
  return {
    note: (error: RedisReplyError) => {
      const refusal = refusalOf(error);
      if (refusal !== null) notHere = { text: refusal, at: clock() };
      else if (isMisplaced(error)) notHere = { text: `${error.message} (SELECT)`, at: clock() };
      else if (DENIED.test(error.message) && !DISPENSABLE.includes(nameOf(error))) {
        denied = { text: error.message, at: clock() };
      }
      return refusal !== null;
    },
    lastNotHere: (withinMs) => within(notHere, withinMs),
    lastDenied: (withinMs) => within(denied, withinMs),
  };
}

/** Why the server at the other end took nothing, in its words; null where the error is of another kind. */
export function refusalOf({ message }: Error): string | null {
  return REFUSED.exec(message)?.[1] ?? null;
}

/** What is wrong with a command or a script itself; every other code is about the server, or about our rights there. */
const OF_THE_COMMAND = ['ERR', 'WRONGTYPE', 'CROSSSLOT'];
const CODE = /^(?:ERR .*: -)?([A-Z]+)\b/s;

/** What ioredis says when a cluster's nodes went on refusing a command or passing it on, as while a slot moves. */
const SENT_ROUND = 'Too many Cluster redirections';

/** Whether Redis refused for a reason of its own: its memory, its disk, its replicas, our rights. */
export function isRefused(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  if (error.message.startsWith(SENT_ROUND)) return true;
  if (error.name !== 'ReplyError') return false;
  return DENIED.test(error.message) || !OF_THE_COMMAND.includes(CODE.exec(error.message)?.[1] ?? 'ERR');
}

/** The database that was asked for was refused: commands would go to another one. */
export const isMisplaced = (error: RedisReplyError): boolean => nameOf(error) === 'select';

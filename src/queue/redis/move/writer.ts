// Writes to keys of a tenant, in calls of bounded size, and only while this run has its move at that Redis.
import type { RedisConnection } from '../connection.ts';
import { scriptOf } from '../script.ts';

export type Argument = string | number | Buffer;

/** The commands that `lua/move/apply.lua` knows. */
export type Command = readonly [
  name:
    | 'set'
    | 'append'
    | 'del'
    | 'hset'
    | 'hdel'
    | 'zadd'
    | 'zrem'
    | 'sadd'
    | 'srem'
    | 'rpush'
    | 'ltrim'
    | 'pexpire'
    | 'persist',
  ...args: Argument[],
];

export type Write = { key: string; command: Command };

export type Writer = {
  /** One after the other, as they come. A connection that is lost may have some of them applied twice, which the next pass finds. @throws AnotherRun */
  apply: (writes: readonly Write[]) => Promise<void>;
};

/** Another run has taken the move over, or it was cancelled. */
export class AnotherRun extends Error {
  constructor() {
    super('another run works on this move');
    this.name = 'AnotherRun';
  }
}

/** The target lacks what had been written to it, as after a failover: all of it has to be compared again. */
export class TargetSetBack extends Error {
  constructor() {
    super('the new Redis has lost what had been written to it, as after a failover');
    this.name = 'TargetSetBack';
  }
}

/** Lua passes a few thousand arguments at most, and a call blocks Redis. */
const ARGUMENTS_AT_ONCE = 2000;
const BYTES_AT_ONCE = 2_000_000;

/** @param move the key of the move, whose field `run` names the one that may write */
export function createWriter(connection: RedisConnection, move: string, run: string): Writer {
  const script = scriptOf(connection, 'move/apply');

  async function send(writes: readonly Write[]): Promise<void> {
    const args = writes.flatMap(({ command }) => [command.length, ...command]);
    const reply = await script([move, ...writes.map(({ key }) => key)], [run, ...args]);
    if (reply !== 1) throw new AnotherRun();
  }

  return {
    apply: async (writes) => {
      let batch: Write[] = [];
      let [count, bytes] = [0, 0];
      for (const write of writes) {
        const size = write.command.reduce((sum: number, argument) => sum + lengthOf(argument), 0);
        const isFull = count + write.command.length > ARGUMENTS_AT_ONCE || bytes + size > BYTES_AT_ONCE;
        if (isFull && batch.length > 0) {
          await send(batch);
          [batch, count, bytes] = [[], 0, 0];
        }
        batch.push(write);
        [count, bytes] = [count + write.command.length, bytes + size];
      }
      if (batch.length > 0) await send(batch);
    },
  };
}

const lengthOf = (argument: Argument) => (typeof argument === 'number' ? 8 : argument.length);

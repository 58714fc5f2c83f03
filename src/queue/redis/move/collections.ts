// Makes one key of the target equal to that of the source, by its type, in parts of bounded size.
import type { RedisConnection } from '../connection.ts';
import type { Command, Writer } from './writer.ts';

export type KeyToCopy = {
  key: string;
  source: RedisConnection;
  target: RedisConnection;
  writer: Writer;
  /** Fields of a hash that are not compared. */
  ignored?: readonly string[];
};

/** @returns whether something had to be written */
export type CopyKey = (copied: KeyToCopy) => Promise<boolean>;

const BYTES_AT_ONCE = 262_144;
/** Compared in two calls that block either server for a few milliseconds; over a long way it is their number that takes the time. */
const COMPARED_AT_ONCE = 5000;
/** As arguments of one call. */
const WRITTEN_AT_ONCE = 500;

/** Writes several commands for one key. */
const writeAll = async ({ key, writer }: KeyToCopy, commands: readonly Command[]): Promise<boolean> => {
  await writer.apply(commands.map((command) => ({ key, command })));
  return commands.length > 0;
};

async function copyString(copied: KeyToCopy): Promise<boolean> {
  const { key, source, target } = copied;
  const [bytes, itsBytes] = await Promise.all([source.strlen(key), target.strlen(key)]);
  let isSame = bytes === itsBytes;
  for (let from = 0; isSame && from < bytes; from += BYTES_AT_ONCE) {
    const part = [key, from, from + BYTES_AT_ONCE - 1] as const;
    const [one, other] = await Promise.all([source.getrangeBuffer(...part), target.getrangeBuffer(...part)]);
    isSame = one.equals(other);
  }
  if (isSame) return false;
  for (let from = 0; from === 0 || from < bytes; from += BYTES_AT_ONCE) {
    const part = await source.getrangeBuffer(key, from, from + BYTES_AT_ONCE - 1);
    await writeAll(copied, [[from === 0 ? 'set' : 'append', part]]);
  }
  return true;
}

/** An element as scans return it: a set's has no value, a hash's has its field's, a sorted set's its score. */
type Element = [member: Buffer, value?: Buffer];

/** How hashes, sets and sorted sets differ. */
type Kind = {
  scan: (redis: RedisConnection, key: string, cursor: string) => Promise<[cursor: Buffer, flat: Buffer[]]>;
  /** How many buffers of a scan's reply are one element. */
  width: 1 | 2;
  size: (redis: RedisConnection, key: string) => Promise<number>;
  /** What is known of these members, in their order; null where there is no such member. */
  lookUp: (redis: RedisConnection, key: string, members: readonly Buffer[]) => Promise<(Buffer | string | null)[]>;
  isSame: (value: Buffer | undefined, known: Buffer | string) => boolean;
  add: (elements: readonly Element[]) => Command;
  remove: (members: readonly Buffer[]) => Command;
};

const HASH: Kind = {
  scan: (redis, key, cursor) => redis.hscanBuffer(key, cursor, 'COUNT', COMPARED_AT_ONCE),
  width: 2,
  size: (redis, key) => redis.hlen(key),
  lookUp: (redis, key, fields) => redis.hmgetBuffer(key, ...fields),
  isSame: (value, known) => value?.equals(known as Buffer) === true,
  add: (elements) => ['hset', ...elements.flatMap(([field, value = EMPTY]) => [field, value])],
  remove: (fields) => ['hdel', ...fields],
};

const SORTED_SET: Kind = {
  scan: (redis, key, cursor) => redis.zscanBuffer(key, cursor, 'COUNT', COMPARED_AT_ONCE),
  width: 2,
  size: (redis, key) => redis.zcard(key),
  lookUp: (redis, key, members) => redis.zmscore(key, ...members),
  // Versions of Redis write the same number differently.
  isSame: (score, known) => Number(score) === Number(known),
  add: (elements) => ['zadd', ...elements.flatMap(([member, score = EMPTY]) => [score, member])],
  remove: (members) => ['zrem', ...members],
};

const SET: Kind = {
  scan: (redis, key, cursor) => redis.sscanBuffer(key, cursor, 'COUNT', COMPARED_AT_ONCE),
  width: 1,
  size: (redis, key) => redis.scard(key),
  lookUp: async (redis, key, members) =>
    (await redis.smismember(key, ...members)).map((isThere) => (isThere === 1 ? EMPTY : null)),
  isSame: () => true,
  add: (elements) => ['sadd', ...elements.map(([member]) => member)],
  remove: (members) => ['srem', ...members],
};

const EMPTY = Buffer.alloc(0);

/** Adds what is missing or differs, then removes what is too much. */
const copyAs =
  ({ size, lookUp, isSame, add, remove, ...kind }: Kind): CopyKey =>
  async (copied) => {
    const { key, source, target, ignored = [] } = copied;
    const scan = async function* (redis: RedisConnection): AsyncGenerator<Element[]> {
      for await (const elements of scanAll(kind, redis, key)) {
        const compared = elements.filter(([member]) => !ignored.includes(member.toString()));
        if (compared.length > 0) yield compared;
      }
    };
    const membersOf = (elements: readonly Element[]) => elements.map(([member]) => member);
    let isChanged = false;
    for await (const elements of scan(source)) {
      const known = await lookUp(target, key, membersOf(elements));
      const news = elements.filter(([, value], index) => {
        const there = known[index] ?? null;
        return there === null || !isSame(value, there);
      });
      if (await writeAll(copied, inParts(news, WRITTEN_AT_ONCE).map(add))) isChanged = true;
    }
    if (ignored.length === 0 && (await size(source, key)) === (await size(target, key))) return isChanged;
    for await (const elements of scan(target)) {
      const members = membersOf(elements);
      const there = await lookUp(source, key, members);
      const gone = members.filter((_member, index) => (there[index] ?? null) === null);
      if (await writeAll(copied, inParts(gone, WRITTEN_AT_ONCE).map(remove))) isChanged = true;
    }
    return isChanged;
  };

async function* scanAll(
  { scan, width }: Pick<Kind, 'scan' | 'width'>,
  redis: RedisConnection,
  key: string,
): AsyncGenerator<Element[]> {
  let cursor = '0';
  do {
    const [next, flat] = await scan(redis, key, cursor);
    cursor = String(next);
    // A small collection comes whole, however much that is.
    for (const part of inParts(flat, width * COMPARED_AT_ONCE)) yield toElements(part, width);
  } while (cursor !== '0');
}

const toElements = (flat: readonly Buffer[], width: 1 | 2): Element[] =>
  inParts(flat, width).map(([member = EMPTY, value]): Element => (value === undefined ? [member] : [member, value]));

const inParts = <T>(all: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, index) => all.slice(index * size, (index + 1) * size));

/** From the first part that differs on, the list is written again. */
async function copyList(copied: KeyToCopy): Promise<boolean> {
  const { key, source, target } = copied;
  const [length, itsLength] = await Promise.all([source.llen(key), target.llen(key)]);
  const readPart = (redis: RedisConnection, from: number) => redis.lrangeBuffer(key, from, from + WRITTEN_AT_ONCE - 1);
  let from = 0;
  for (; from < length; from += WRITTEN_AT_ONCE) {
    const [one, other] = await Promise.all([readPart(source, from), readPart(target, from)]);
    if (one.length !== other.length || one.some((element, index) => other[index]?.equals(element) !== true)) break;
  }
  if (from >= length && length === itsLength) return false;
  await writeAll(copied, [from === 0 ? ['del'] : ['ltrim', 0, from - 1]]);
  for (; from < length; from += WRITTEN_AT_ONCE) {
    const part = await readPart(source, from);
    if (part.length > 0) await writeAll(copied, [['rpush', ...part]]);
  }
  return true;
}

/** By the names that TYPE has for them. */
export const COPY_BY_TYPE: ReadonlyMap<string, CopyKey> = new Map([
  ['string', copyString],
  ['hash', copyAs(HASH)],
  ['zset', copyAs(SORTED_SET)],
  ['set', copyAs(SET)],
  ['list', copyList],
]);

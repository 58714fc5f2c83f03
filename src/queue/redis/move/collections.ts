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
const ELEMENTS_AT_ONCE = 500;

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

async function copyHash(copied: KeyToCopy): Promise<boolean> {
  const { key, source, target, ignored = [] } = copied;
  const isCompared = (field: Buffer) => !ignored.includes(field.toString());
  let isChanged = false;
  for await (const flat of scanHash(source, key)) {
    const pairs = toPairs(flat).filter(([field]) => isCompared(field));
    if (pairs.length === 0) continue;
    const known = await target.hmgetBuffer(key, ...pairs.map(([field]) => field));
    const news = pairs.filter(([, value], index) => known[index]?.equals(value) !== true);
    if (news.length > 0) isChanged = await writeAll(copied, [['hset', ...news.flat()]]);
  }
  if (ignored.length === 0 && (await source.hlen(key)) === (await target.hlen(key))) return isChanged;
  for await (const flat of scanHash(target, key)) {
    const fields = toPairs(flat).flatMap(([field]) => (isCompared(field) ? [field] : []));
    if (fields.length === 0) continue;
    const there = await source.hmgetBuffer(key, ...fields);
    const gone = fields.filter((_field, index) => there[index] === null);
    if (gone.length > 0) isChanged = await writeAll(copied, [['hdel', ...gone]]);
  }
  return isChanged;
}

async function* scanHash(redis: RedisConnection, key: string): AsyncGenerator<Buffer[]> {
  let cursor = '0';
  do {
    const [next, flat] = await redis.hscanBuffer(key, cursor, 'COUNT', ELEMENTS_AT_ONCE);
    cursor = String(next);
    yield* slices(flat, 2 * ELEMENTS_AT_ONCE);
  } while (cursor !== '0');
}

async function copySortedSet(copied: KeyToCopy): Promise<boolean> {
  const { key, source, target } = copied;
  let isChanged = false;
  for await (const flat of scanSortedSet(source, key)) {
    const pairs = toPairs(flat);
    const known = await target.zmscore(key, ...pairs.map(([member]) => member));
    const news = pairs.filter(([, score], index) => !isSameScore(score.toString(), known[index] ?? null));
    if (news.length > 0)
      isChanged = await writeAll(copied, [['zadd', ...news.flatMap(([member, score]) => [score, member])]]);
  }
  if ((await source.zcard(key)) === (await target.zcard(key))) return isChanged;
  for await (const flat of scanSortedSet(target, key)) {
    const members = toPairs(flat).map(([member]) => member);
    const there = await source.zmscore(key, ...members);
    const gone = members.filter((_member, index) => there[index] == null);
    if (gone.length > 0) isChanged = await writeAll(copied, [['zrem', ...gone]]);
  }
  return isChanged;
}

/** Versions of Redis write the same number differently. */
const isSameScore = (score: string, other: string | null) =>
  score === other || (other !== null && Number(score) === Number(other));

async function* scanSortedSet(redis: RedisConnection, key: string): AsyncGenerator<Buffer[]> {
  let cursor = '0';
  do {
    const [next, flat] = await redis.zscanBuffer(key, cursor, 'COUNT', ELEMENTS_AT_ONCE);
    cursor = String(next);
    yield* slices(flat, 2 * ELEMENTS_AT_ONCE);
  } while (cursor !== '0');
}

async function copySet(copied: KeyToCopy): Promise<boolean> {
  const { key, source, target } = copied;
  let isChanged = false;
  for await (const members of scanSet(source, key)) {
    const known = await target.smismember(key, ...members);
    const news = members.filter((_member, index) => known[index] !== 1);
    if (news.length > 0) isChanged = await writeAll(copied, [['sadd', ...news]]);
  }
  if ((await source.scard(key)) === (await target.scard(key))) return isChanged;
  for await (const members of scanSet(target, key)) {
    const there = await source.smismember(key, ...members);
    const gone = members.filter((_member, index) => there[index] !== 1);
    if (gone.length > 0) isChanged = await writeAll(copied, [['srem', ...gone]]);
  }
  return isChanged;
}

async function* scanSet(redis: RedisConnection, key: string): AsyncGenerator<Buffer[]> {
  let cursor = '0';
  do {
    const [next, members] = await redis.sscanBuffer(key, cursor, 'COUNT', ELEMENTS_AT_ONCE);
    cursor = String(next);
    yield* slices(members, ELEMENTS_AT_ONCE);
  } while (cursor !== '0');
}

/** From the first part that differs on, the list is written again. */
async function copyList(copied: KeyToCopy): Promise<boolean> {
  const { key, source, target } = copied;
  const [length, itsLength] = await Promise.all([source.llen(key), target.llen(key)]);
  const readPart = (redis: RedisConnection, from: number) => redis.lrangeBuffer(key, from, from + ELEMENTS_AT_ONCE - 1);
  let from = 0;
  for (; from < length; from += ELEMENTS_AT_ONCE) {
    const [one, other] = await Promise.all([readPart(source, from), readPart(target, from)]);
    if (one.length !== other.length || one.some((element, index) => other[index]?.equals(element) !== true)) break;
  }
  if (from >= length && length === itsLength) return false;
  await writeAll(copied, [from === 0 ? ['del'] : ['ltrim', 0, from - 1]]);
  for (; from < length; from += ELEMENTS_AT_ONCE) {
    const part = await readPart(source, from);
    if (part.length > 0) await writeAll(copied, [['rpush', ...part]]);
  }
  return true;
}

const toPairs = (flat: readonly Buffer[]): [Buffer, Buffer][] =>
  Array.from({ length: flat.length / 2 }, (_, index) => [flat[2 * index], flat[2 * index + 1]] as [Buffer, Buffer]);

/** A small hash comes whole, however many fields that are. */
function* slices(flat: readonly Buffer[], size: number): Generator<Buffer[]> {
  for (let from = 0; from < flat.length; from += size) yield flat.slice(from, from + size);
}

/** By the names that TYPE has for them. */
export const COPY_BY_TYPE: ReadonlyMap<string, CopyKey> = new Map([
  ['string', copyString],
  ['hash', copyHash],
  ['zset', copySortedSet],
  ['set', copySet],
  ['list', copyList],
]);

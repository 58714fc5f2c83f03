// One pass over all keys of a tenant: compares both sides, and makes the target what the source is.
import type { Keys } from '../keys.ts';
import type { RedisConnection } from '../connection.ts';
import { scriptOf } from '../script.ts';
import { COPY_BY_TYPE } from './collections.ts';
import { CLOSING_FIELDS, isMoved } from './moved-names.ts';
import { scanTenant } from './scan-keys.ts';
import type { Write, Writer } from './writer.ts';

export type CopyOptions = {
  source: RedisConnection;
  target: RedisConnection;
  /** Of the tenant, the same on both sides. */
  keys: Pick<Keys, 'root' | 'counts'>;
  writer: Writer;
  /** Ends the pass between two slices. */
  signal: AbortSignal;
};

/** What a pass found. */
export type Passed = {
  keys: number;
  /** Of strings, which most of it are. */
  bytes: number;
  /** Keys that differed and were written. */
  written: number;
  /** Keys that the source does not have, and that were removed before they would have expired. */
  removed: number;
};

type Described = { type: string; expiresInMs: number; size: number; digest: string };
/** The same key at the source and at the target. */
type Pair = readonly [ours: Described, theirs: Described];

const KEYS_AT_ONCE = 200;
const SLICES_AT_ONCE = 4;
/** A script blocks Redis while it digests this much, for a few milliseconds. */
const DIGESTED_BYTES = 2_000_000;
/** Read and written whole, as most records are. */
const SMALL_BYTES = 32_768;
/** Collections of at most this many elements are copied side by side. */
const SMALL_COLLECTION = 1000;
/** Both sides are asked at slightly different moments. */
const SAME_EXPIRY_MS = 5000;

/** @throws the signal's reason, AnotherRun, or whatever Redis refuses */
export async function copyPass(options: CopyOptions): Promise<Passed> {
  const { source, target, keys, signal } = options;
  const passed: Passed = { keys: 0, bytes: 0, written: 0, removed: 0 };
  const describeSource = createDescribe(source);
  const describeTarget = createDescribe(target);
  const describeBoth = createDescribeBoth(describeSource, describeTarget);

  async function compare(slice: readonly string[]): Promise<void> {
    const small: { key: string; expiresInMs: number }[] = [];
    const large: [string, Described, Described][] = [];
    const collections: Promise<void>[] = [];
    for (const [key, [one, other]] of await describeBoth(slice)) {
      // It expired, or was removed since it was found; the target's copy is found below.
      if (one.type === 'none') continue;
      passed.keys += 1;
      if (one.type === 'string') passed.bytes += one.size;
      if (isSame(one, other) && isSameExpiry(one, other)) continue;
      if (one.type === 'string' && one.size <= SMALL_BYTES && differ(one, other)) small.push({ key, ...one });
      else if (one.type === 'string' || one.size > SMALL_COLLECTION) large.push([key, one, other]);
      else collections.push(copyKey(key, one, other));
    }
    await Promise.all([copySmall(small), ...collections]);
    // In parts, so one after the other.
    for (const [key, one, other] of large) await copyKey(key, one, other);
  }

  async function copySmall(small: readonly { key: string; expiresInMs: number }[]): Promise<void> {
    if (small.length === 0) return;
    const values = await source.mgetBuffer(small.map(({ key }) => key));
    const writes = small.flatMap(({ key, expiresInMs }, index): Write[] => {
      const value = values[index] ?? null;
      if (value === null) return [];
      return [{ key, command: expiresInMs > 0 ? ['set', value, 'PX', expiresInMs] : ['set', value] }];
    });
    await options.writer.apply(writes);
    passed.written += writes.length;
  }

  async function copyKey(key: string, one: Described, other: Described): Promise<void> {
    const copy = COPY_BY_TYPE.get(one.type);
    if (!copy) throw new Error(`${key} is of type ${one.type}, which is not moved`);
    const { writer } = options;
    if (other.type !== 'none' && other.type !== one.type) await writer.apply([{ key, command: ['del'] }]);
    const ignored = key === keys.counts ? CLOSING_FIELDS : [];
    const isWritten = await copy({ key, source, target, writer, ignored });
    // Written anew, it may have lost its expiry; a collection that became empty is gone.
    const expiresAlike = isSameExpiry(one, other);
    if (isWritten || !expiresAlike) passed.written += 1;
    if (one.expiresInMs > 0 && (isWritten || !expiresAlike))
      await writer.apply([{ key, command: ['pexpire', one.expiresInMs] }]);
    if (one.expiresInMs < 0 && other.expiresInMs > 0) await writer.apply([{ key, command: ['persist'] }]);
  }

  async function removeGone(slice: readonly string[]): Promise<void> {
    const ours = await describeSource(slice, 0);
    const gone = slice.filter((key, index) => ours[index]?.type === 'none' && key !== keys.counts);
    if (gone.length === 0) return;
    const theirs = await describeTarget(gone, 0);
    await options.writer.apply(gone.map((key) => ({ key, command: ['del'] })));
    // What is about to expire here has expired there: that is no difference.
    passed.removed += theirs.filter(({ expiresInMs }) => expiresInMs === -1 || expiresInMs > SAME_EXPIRY_MS).length;
  }

  await forEachSlice(source, options, compare);
  await forEachSlice(target, options, removeGone);
  signal.throwIfAborted();
  return passed;
}

const isSame = (one: Described, other: Described): boolean =>
  one.type === other.type && one.digest !== '' && one.digest === other.digest;

/** Known to differ. Two that were not digested may be the same. */
const differ = (one: Described, other: Described): boolean =>
  one.type !== other.type ||
  one.size !== other.size ||
  (one.digest !== '' && other.digest !== '' && !isSame(one, other));

const isSameExpiry = (one: Described, other: Described): boolean =>
  one.expiresInMs < 0 || other.expiresInMs < 0
    ? one.expiresInMs === other.expiresInMs
    : Math.abs(one.expiresInMs - other.expiresInMs) <= SAME_EXPIRY_MS;

type Describe = (keys: readonly string[], bytes: number) => Promise<Described[]>;

function createDescribe(redis: RedisConnection): Describe {
  const script = scriptOf(redis, 'move/describe');
  return async (keys, bytes) => {
    const replies = (await script(keys, [bytes])) as [string, number, number, string][];
    return replies.map(([type, expiresInMs, size, digest]) => ({ type, expiresInMs, size, digest }));
  };
}

/** One call digests a bounded number of bytes; what is left is asked for again, for as long as that gets further. */
function createDescribeBoth(describeSource: Describe, describeTarget: Describe) {
  return async (keys: readonly string[]): Promise<Map<string, Pair>> => {
    const pairs = new Map<string, Pair>();
    let asked = keys;
    while (asked.length > 0) {
      const [ours, theirs] = await Promise.all([
        describeSource(asked, DIGESTED_BYTES),
        describeTarget(asked, DIGESTED_BYTES),
      ]);
      const undigested: string[] = [];
      for (const [index, key] of asked.entries()) {
        const [one, other] = [ours[index], theirs[index]];
        if (!one || !other) continue;
        pairs.set(key, [one, other]);
        if (one.type !== 'none' && !isSame(one, other) && !differ(one, other)) undigested.push(key);
      }
      if (undigested.length === asked.length) break;
      asked = undigested;
    }
    return pairs;
  };
}

/** Some at a time, so that neither side waits for the other and memory stays bounded. */
async function forEachSlice(
  redis: RedisConnection,
  { keys, signal }: Pick<CopyOptions, 'keys' | 'signal'>,
  act: (slice: readonly string[]) => Promise<void>,
): Promise<void> {
  const underWay = new Set<Promise<void>>();
  const failures: unknown[] = [];
  const nameAt = keys.root.length + 1;
  const throwFailure = () => {
    if (failures.length > 0) throw failures[0];
  };
  for await (const found of scanTenant(redis, keys.root)) {
    signal.throwIfAborted();
    const moved = found.filter((key) => isMoved(key.slice(nameAt)));
    for (let from = 0; from < moved.length; from += KEYS_AT_ONCE) {
      const acting: Promise<void> = act(moved.slice(from, from + KEYS_AT_ONCE))
        .catch((error: unknown) => void failures.push(error))
        .finally(() => underWay.delete(acting));
      underWay.add(acting);
      if (underWay.size >= SLICES_AT_ONCE) await Promise.race(underWay);
      throwFailure();
    }
  }
  await Promise.all(underWay);
  throwFailure();
}

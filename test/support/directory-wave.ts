// A wave of new devices against the device directory, while devices it knows are judged all along; and what each heard.
import { hash, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { toDirectoryKey } from '../../src/domain/directory/directory-key.ts';
import type { VerifyInDirectory } from '../../src/queue/directory/verify.ts';

export type Wave = {
  verify: VerifyInDirectory;
  newIds: readonly string[];
  knownIds: readonly string[];
  /** The wait of a device that is told to send again. */
  againAfterMs: () => number;
  /** From one submission of a known device to its next. */
  knownEveryMs: number;
};

export type WaveResult = {
  /** From the first submission until each new device had its answer; one entry for each that was found good. */
  goodAfterMs: number[];
  /** New devices that were refused. */
  refused: number;
  tries: number;
  /** Tries refused since the process had too many requests in progress. */
  overloaded: number;
  known: KnownResult;
};

export type KnownResult = { latenciesMs: number[]; notGood: number };

/** As `MAX_REQUESTS_IN_FLIGHT`, and what a device hears beyond it: 1 to 10 s. */
const MOST_AT_ONCE = 1000;
const overloadedMs = () => 1000 + Math.random() * 9000;

export const madeUpIds = (count: number): string[] => Array.from({ length: count }, () => randomUUID());

/** The text of a certificate that a device could have: made from its id, so that directory and device agree on it. */
export const keyOf = (deviceId: string): string =>
  toDirectoryKey(hash('sha256', deviceId, 'buffer'), hash('sha512', deviceId, 'buffer'));

export async function playWave({ verify, newIds, knownIds, againAfterMs, knownEveryMs }: Wave): Promise<WaveResult> {
  const result = { goodAfterMs: [] as number[], refused: 0, tries: 0, overloaded: 0 };
  const startedAt = performance.now();
  let inProgress = 0;

  async function submit(deviceId: string): Promise<void> {
    for (;;) {
      result.tries += 1;
      if (inProgress >= MOST_AT_ONCE) {
        result.overloaded += 1;
        await delay(overloadedMs());
        continue;
      }
      inProgress += 1;
      const { kind } = await verify(deviceId, keyOf(deviceId)).finally(() => (inProgress -= 1));
      if (kind === 'good') result.goodAfterMs.push(performance.now() - startedAt);
      if (kind === 'bad') result.refused += 1;
      if (kind !== 'unknown') return;
      await delay(againAfterMs());
    }
  }

  const ended = new AbortController();
  const known = judgeKnown({ verify, knownIds, knownEveryMs, signal: ended.signal });
  await Promise.all(newIds.map(submit));
  ended.abort();
  return { ...result, known: await known };
}

/** Known devices submit in turn, evenly, until `signal` aborts. */
export async function judgeKnown({
  verify,
  knownIds,
  knownEveryMs,
  signal,
}: Pick<Wave, 'verify' | 'knownIds' | 'knownEveryMs'> & { signal: AbortSignal }): Promise<KnownResult> {
  const result: KnownResult = { latenciesMs: [], notGood: 0 };
  await Promise.all(
    knownIds.map(async (deviceId) => {
      await delay(Math.random() * knownEveryMs);
      while (!signal.aborted) {
        const askedAt = performance.now();
        const { kind } = await verify(deviceId, keyOf(deviceId));
        result.latenciesMs.push(performance.now() - askedAt);
        if (kind !== 'good') result.notGood += 1;
        await delay(knownEveryMs);
      }
    }),
  );
  return result;
}

/** The most instants within any span of a length. @param instants in order */
export function countMostWithin(instants: readonly number[], spanMs: number): number {
  let first = 0;
  let most = 0;
  for (const [index, at] of instants.entries()) {
    while (at - (instants[first] ?? at) >= spanMs) first += 1;
    most = Math.max(most, index - first + 1);
  }
  return most;
}

export const quantile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(share * values.length) - 1)] ?? NaN;

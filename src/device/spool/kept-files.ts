// The run results in a directory of a spool, oldest first, and those that are beyond its bounds.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

export type KeptFile = { name: string; runId: string; order: number; bytes: number };

/** `<order>-<run id>.json`: the order is the second in which it was kept, or the next that is free. */
const NAME = /^(\d+)-([A-Za-z0-9._-]+)\.json$/;
/** Orders before 2020 come from a clock that was not set. */
const EARLIEST_S = 1_577_836_800;

export async function listNames(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((name) => NAME.test(name)).sort();
}

export async function describeFiles(directory: string, names: readonly string[]): Promise<KeptFile[]> {
  const files: KeptFile[] = [];
  for (const name of names) {
    const [, order = '0', runId = ''] = NAME.exec(name) ?? [];
    // Another process may have removed it.
    const found = await stat(join(directory, name)).catch(() => null);
    if (found) files.push({ name, runId, order: Number(order), bytes: found.size });
  }
  return files;
}

export const toName = (names: readonly string[], nowS: number, runId: string): string => {
  const newest = Number(NAME.exec(names.at(-1) ?? '')?.[1] ?? 0);
  return `${Math.max(nowS, newest + 1)}-${runId}.json`;
};

export type Bounds = { maxAgeH: number; maxMb: number };

/** Those that are too old, and the oldest of what is too much. */
export function findBeyond(files: readonly KeptFile[], { maxAgeH, maxMb }: Bounds, nowS: number): KeptFile[] {
  let total = 0;
  return files
    .toReversed()
    .filter(({ order, bytes }) => {
      total += bytes;
      const isOld = order > EARLIEST_S && nowS - order > maxAgeH * 3600;
      return total > maxMb * 1_048_576 || isOld;
    })
    .toReversed();
}

const MAX_BATCH_ENTRIES = 100;
/** The bridge takes 4 MiB. */
const MAX_BATCH_BYTES = 3_670_016;

/** The first that fit into one batch, at least one. */
export function takeBatch(files: readonly KeptFile[]): KeptFile[] {
  let used = 0;
  const fits = files.slice(0, MAX_BATCH_ENTRIES).findIndex(({ bytes }, index) => {
    used += bytes + 1;
    return index > 0 && used > MAX_BATCH_BYTES;
  });
  return files.slice(0, fits === -1 ? MAX_BATCH_ENTRIES : fits);
}

// A device's spool: run results in files until the bridge has stored them. The layout is the agents' own, so one can take over from another.
import { randomUUID } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { resolve, join } from 'node:path';
import type { NotBefore } from '../sending/wait.ts';
import { describeFiles, findBeyond, listNames, takeBatch, toName, type Bounds, type KeptFile } from './kept-files.ts';
import { removeAbandoned, tryLock } from './lock.ts';
import { forgetNotBefore, readNotBefore, writeNotBefore } from './not-before.ts';
import { toProcessName } from './process-name.ts';
import { syncDirectory, writeSynced } from './write-synced.ts';

export type SpoolOptions = {
  /** Created for its owner alone. */
  directory: string;
  /** What is older is dropped; 720 hours. */
  maxAgeH?: number;
  /** The oldest of what is more is dropped; 50 MB. */
  maxMb?: number;
  clock?: () => number;
};

export type Kept = { name: string; runId: string; line: string };

export type Spool = {
  directory: string;
  /** Returns once the run result is on the disk, whole. */
  keep: (runId: string, line: string) => Promise<void>;
  /** The oldest, as many as go in one batch. */
  oldest: () => Promise<Kept[]>;
  /** How many wait. */
  count: () => Promise<number>;
  remove: (name: string) => Promise<void>;
  /** Moves it into `refused`, with the answer beside it. */
  refuse: (name: string, answer: string) => Promise<void>;
  /** Drops what is beyond the bounds, and returns the names. */
  prune: () => Promise<string[]>;
  /** Null if another process, or another part of this one, sends. */
  lock: () => Promise<(() => Promise<void>) | null>;
  notBefore: { read: () => Promise<NotBefore>; write: (to: NotBefore) => Promise<void>; forget: () => Promise<void> };
  /** Leaves what is kept. */
  close: () => Promise<void>;
};

/** @throws Error if the directory cannot be made or written */
export async function openSpool({
  directory: given,
  maxAgeH = 720,
  maxMb = 50,
  clock = Date.now,
}: SpoolOptions): Promise<Spool> {
  const directory = resolve(given);
  const refused = join(directory, 'refused');
  const work = join(directory, `work.${toProcessName(process.pid)}`);
  const bounds: Bounds = { maxAgeH, maxMb };
  await mkdir(refused, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
  const makeWork = () => mkdir(work, { recursive: true, mode: 0o700 });
  await makeWork();

  const remove = (name: string) => rm(join(directory, name), { force: true });
  const nowS = () => Math.floor(clock() / 1000);

  async function pruneIn(path: string): Promise<string[]> {
    const beyond = findBeyond(await describeFiles(path, await listNames(path)), bounds, nowS());
    for (const { name } of beyond) {
      await rm(join(path, name), { force: true });
      await rm(join(path, `${name}.answer`), { force: true });
    }
    return beyond.map(({ name }) => name);
  }

  return {
    directory,
    keep: async (runId, line) => {
      await makeWork();
      const written = join(work, randomUUID());
      await writeSynced(written, `${line}\n`);
      await rename(written, join(directory, toName(await listNames(directory), nowS(), runId)));
      await syncDirectory(directory);
    },
    oldest: async () => {
      const [first, ...rest] = takeBatch(await describeFiles(directory, (await listNames(directory)).slice(0, 100)));
      return first === undefined ? [] : readAll(directory, [first, ...rest]);
    },
    count: async () => (await listNames(directory)).length,
    remove,
    refuse: async (name, answer) => {
      await writeSynced(join(refused, `${name}.answer`), `${answer}\n`);
      await rename(join(directory, name), join(refused, name));
      await syncDirectory(refused);
    },
    prune: async () => [...(await pruneIn(directory)), ...(await pruneIn(refused))],
    lock: async () => {
      const release = await tryLock(directory);
      if (release === null) return null;
      const others = (await readdir(directory)).filter((name) => name.startsWith('work.'));
      await removeAbandoned(directory, others);
      return release;
    },
    notBefore: {
      read: () => readNotBefore(directory),
      write: async (to) => {
        await makeWork();
        await writeNotBefore(directory, work, to);
      },
      forget: () => forgetNotBefore(directory),
    },
    close: () => rm(work, { recursive: true, force: true }),
  };
}

async function readAll(directory: string, files: readonly KeptFile[]): Promise<Kept[]> {
  const kept: Kept[] = [];
  for (const { name, runId } of files) {
    const text = await readFile(join(directory, name), 'utf8').catch(() => null);
    if (text !== null) kept.push({ name, runId, line: text.trimEnd() });
  }
  return kept;
}

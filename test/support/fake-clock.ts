// A fake wall clock for another process (libfaketime): ahead, behind, or stepping while it runs.
import { globSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const [LIBRARY] = globSync('/usr/{lib,local/lib,lib64}/{*/,}faketime/libfaketimeMT.so.1');

/** Why clock tests cannot run here; null if they can. */
export const MISSING_FAKETIME = LIBRARY === undefined ? 'libfaketime is not installed' : null;

export type FakeClock = {
  /** The environment of the process that uses the clock. */
  env: Record<string, string>;
  /** Sets the wall clock this many seconds ahead of real time; the monotonic clock is not affected. */
  set: (aheadS: number) => Promise<void>;
  close: () => Promise<void>;
};

export async function createFakeClock(aheadS = 0): Promise<FakeClock> {
  const directory = await mkdtemp(join(tmpdir(), 'runstate-clock-'));
  const file = join(directory, 'ahead');
  let changed: Promise<void> = Promise.resolve();
  /** One change at a time: two steps of the same clock may overlap, and the later one counts. */
  const set = (seconds: number) =>
    (changed = changed.then(async () => {
      await writeFile(`${file}.new`, `${seconds < 0 ? '-' : '+'}${Math.abs(seconds)}s\n`);
      await rename(`${file}.new`, file);
    }));
  await set(aheadS);
  return {
    env: {
      LD_PRELOAD: LIBRARY ?? '',
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
    },
    set,
    close: () => rm(directory, { recursive: true, force: true }),
  };
}

// A directory as a small disk of its own, which can be filled to within a block.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** @returns whether this user may mount one */
export const mountSmallDisk = (directory: string): boolean =>
  spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', directory]).status === 0;

export const unmount = (directory: string): Buffer => execFileSync('umount', [directory]);

export const canMount = ((): boolean => {
  const directory = mkdtempSync(join(tmpdir(), 'runstate-small-disk-'));
  const isMounted = mountSmallDisk(directory);
  if (isMounted) unmount(directory);
  rmSync(directory, { recursive: true });
  return isMounted;
})();

/** Leaves room for so many blocks. */
export function fillDisk(directory: string, blocks: number): void {
  const { bfree, bsize } = statfsSync(directory);
  writeFileSync(join(directory, 'filling'), Buffer.alloc((bfree - blocks) * bsize));
}

export const makeRoom = (directory: string): void => rmSync(join(directory, 'filling'), { force: true });

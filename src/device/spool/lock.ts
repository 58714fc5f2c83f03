// One sender at a time in a spool, among processes of any kind: a file each, named after its process.
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive, toProcessName } from './process-name.ts';

/** The locks of this process: for files they would all be one. */
const heldHere = new Set<string>();

/**
 * Announces itself, then looks for others: of two that come at once at most one goes on. A file is removed only by its owner or
 * because its owner is gone, and names do not come again, so a crash leaves nothing that has to be taken over.
 * @returns how to release it, or null if another one sends
 */
export async function tryLock(directory: string): Promise<(() => Promise<void>) | null> {
  const own = `lock.${toProcessName(process.pid)}`;
  const path = join(directory, own);
  if (heldHere.has(path)) return null;
  heldHere.add(path);
  const release = async () => {
    await rm(path, { force: true });
    heldHere.delete(path);
  };
  try {
    await writeFile(path, '', { mode: 0o600 });
    const others = (await readdir(directory)).filter((name) => name.startsWith('lock.') && name !== own);
    if (!(await removeAbandoned(directory, others))) return release;
    await release();
    return null;
  } catch (error) {
    await release();
    throw error;
  }
}

/** Removes working directories and locks whose processes are gone; says whether any is not. */
export async function removeAbandoned(directory: string, names: readonly string[]): Promise<boolean> {
  let isAnyAlive = false;
  for (const name of names) {
    const path = join(directory, name);
    if (isAlive(name.slice(name.indexOf('.') + 1), path)) isAnyAlive = true;
    else await rm(path, { recursive: true, force: true });
  }
  return isAnyAlive;
}

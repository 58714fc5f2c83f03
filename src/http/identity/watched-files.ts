// Reloads files when they change; an unusable version is reported once, and the last good one stays in use.
import { statSync } from 'node:fs';
import { CannotStart } from '../../config/cannot-start.ts';
import { readSettingFile } from '../../config/setting-file.ts';

export type Reloaded<T> = {
  current: () => T;
  /** Calls the listener with each new value. */
  onChange: (listener: (value: T) => void) => void;
  close: () => void;
};

/** The files were re-read; `error` is why their content is not used, or null. */
export type OnReload = (paths: readonly string[], error: unknown) => void;

const LOOK_EVERY_MS = 500;

/**
 * Reads files, and checks twice a second whether they changed. A change counts only once two checks in a row agree, since
 * a certificate and its key are replaced one after the other.
 * @param parse throws if the texts cannot be used
 * @throws CannotStart if the first read fails
 */
export function createReloaded<T>(
  paths: readonly string[],
  parse: (texts: readonly string[]) => T,
  onReload: OnReload,
): Reloaded<T> {
  const read = () => parse(paths.map(readSettingFile));
  const listeners: ((value: T) => void)[] = [];
  let known = describe(paths);
  let seen = known;
  let value = first(paths, read);

  const look = () => {
    const present = describe(paths);
    const settled = present === seen;
    seen = present;
    if (!settled || present === known) return;
    known = present;
    try {
      value = read();
    } catch (error) {
      onReload(paths, error);
      return;
    }
    onReload(paths, null);
    for (const listener of listeners) listener(value);
  };
  const looking = setInterval(look, LOOK_EVERY_MS).unref();
  return {
    current: () => value,
    onChange: (listener) => void listeners.push(listener),
    close: () => clearInterval(looking),
  };
}

function first<T>(paths: readonly string[], read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new CannotStart(`${paths.join(', ')}: ${error instanceof Error ? error.message : 'cannot be read'}`);
  }
}

/** Identifies a version of the files. Symbolic links are followed, as mounted secrets are links. */
function describe(paths: readonly string[]): string {
  return paths.map(describeFile).join();
}

function describeFile(path: string): string {
  try {
    const { ino, size, mtimeMs } = statSync(path);
    return `${ino} ${size} ${mtimeMs}`;
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}

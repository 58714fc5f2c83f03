// The embedded Redis's directory, which must be accessible to its owner only, and the path of its socket.
import { chmodSync, existsSync, lstatSync, mkdirSync, openSync, readdirSync, statSync, type Stats } from 'node:fs';
import { join, parse, resolve } from 'node:path';
import { CannotStart } from '../../../config/cannot-start.ts';

const SOCKET = 'redis.sock';
/** sun_path holds 108 bytes, on macOS 104, the last one a NUL. */
const SOCKET_PATH_LIMIT = process.platform === 'linux' ? 107 : 103;
const OPEN_FILES = '/proc/self/fd';

/** The files Redis keeps here. */
const REDIS_FILES = /^(redis\.|appendonly|temp-|dump\.rdb)/;
const FOR_OTHERS = 0o077;
const STICKY = 0o1000;
/** Created by file systems themselves. */
const NOT_COUNTED = ['lost+found'];

/**
 * Creates the directory if it is missing, and removes other users' permissions.
 * @returns its absolute path
 * @throws CannotStart if it cannot be made private to its owner
 */
export function claimDirectory(directory: string): string {
  const path = resolve(directory);
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    if (!existsSync(OPEN_FILES) && Buffer.byteLength(join(path, SOCKET)) > SOCKET_PATH_LIMIT) {
      throw refused(path, `is too long: a socket's path may have ${SOCKET_PATH_LIMIT} bytes`);
    }
    const found = statSync(path);
    const fault = findSharing(path, found);
    if (fault !== null) throw refused(path, fault);
    closeToOthers(path, found);
    for (const name of readdirSync(path).filter((entry) => REDIS_FILES.test(entry))) claimFile(join(path, name));
  } catch (error) {
    if (error instanceof CannotStart) throw error;
    throw refused(path, `cannot be used: ${error instanceof Error ? error.message : 'no reason given'}`);
  }
  return path;
}

/** Redis's files, including those in folders it created. */
function claimFile(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found || found.isSymbolicLink()) return;
  closeToOthers(path, found);
  if (found.isDirectory()) for (const name of readdirSync(path)) claimFile(join(path, name));
}

function closeToOthers(path: string, { mode }: Stats): void {
  if (!isOpenToOthers(mode)) return;
  try {
    chmodSync(path, mode & 0o7777 & ~FOR_OTHERS);
  } catch (error) {
    // A temporary file of a running server may be gone by now.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if (isOpenToOthers(statSync(path, { throwIfNoEntry: false })?.mode ?? 0)) {
    throw refused(path, 'stays open to others: its file system keeps no access rights');
  }
}

const isOpenToOthers = (mode: number) => (mode & FOR_OTHERS) !== 0;

/** Why an existing directory would be refused; null if it would not. */
export function directoryFault(directory: string): string | null {
  const found = statSync(resolve(directory), { throwIfNoEntry: false });
  return found ? findSharing(resolve(directory), found) : null;
}

/** A directory shared with other users is refused, rather than locking them out. */
function findSharing(path: string, { uid, mode }: Stats): string | null {
  const me = process.geteuid?.() ?? uid;
  const remedy = 'name a directory of its own, such as one below it';
  if (uid !== me) return `belongs to user ${uid}, and this process is user ${me}: ${remedy}`;
  if (path === parse(path).root || (mode & STICKY) !== 0) return `is there for others too: ${remedy}`;
  if (!isOpenToOthers(mode)) return null;
  const strange = readdirSync(path).find((name) => {
    if (NOT_COUNTED.includes(name)) return false;
    return (lstatSync(join(path, name), { throwIfNoEntry: false })?.uid ?? me) !== me;
  });
  return strange === undefined ? null : `holds another user's ${strange}: ${remedy}`;
}

const refused = (path: string, why: string) => new CannotStart(`DATA_DIR: ${path} ${why}`);

const opened = new Map<string, string>();

/**
 * The path of the server's socket. If the directory's path is too long for a socket, it goes through an open descriptor of
 * the directory, so there is no name outside it that another user could occupy first.
 */
export function socketPath(directory: string): string {
  const path = resolve(directory, SOCKET);
  if (Buffer.byteLength(path) <= SOCKET_PATH_LIMIT) return path;
  const known = opened.get(path);
  if (known !== undefined) return known;
  if (!existsSync(OPEN_FILES) || !existsSync(resolve(directory))) return path;
  const short = `${OPEN_FILES}/${openSync(resolve(directory), 'r')}/${SOCKET}`;
  opened.set(path, short);
  return short;
}

/** The path the server listens on; the server runs in its directory. */
export const listenPath = (directory: string): string =>
  Buffer.byteLength(resolve(directory, SOCKET)) <= SOCKET_PATH_LIMIT ? resolve(directory, SOCKET) : SOCKET;

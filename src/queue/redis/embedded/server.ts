// The embedded Redis's server process: how it is started, how it holds its lock, and how it is stopped.
import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CannotStart } from '../../../config/cannot-start.ts';
import { listenPath } from './directory.ts';
import { findProgram, openLockFile, searchPath, type FileLockProgram } from './file-lock.ts';

/** Locked by the server while it runs. */
export const serverLockPath = (directory: string): string => join(directory, 'redis.lock');
/** Share-locked by each process that uses the server. */
export const usersLockPath = (directory: string): string => join(directory, 'redis.users');
export const logPath = (directory: string) => join(directory, 'redis.log');

const SETTINGS = {
  port: '0',
  unixsocketperm: '700',
  dir: '.',
  daemonize: 'no',
  appendonly: 'yes',
  appendfsync: 'always',
  'aof-load-truncated': 'yes',
  'maxmemory-policy': 'noeviction',
  save: '',
};

/**
 * The server's parent process. It exits with the server, and stops the server once no process has the users' file locked
 * any more, however they exited. Until the server is gone it keeps that file locked itself, so that none joins a server
 * that is shutting down.
 *
 * File descriptor 3 is the server's lock, held only by the server from here on; 4 is the users' lock. The arguments are a
 * command that waits for a lock on 4. SIGTERM makes the server close its files and exit.
 */
const KEEP = `
umask 077
"$EMBEDDED_SERVER" --unixsocket "$EMBEDDED_SOCKET" ${Object.entries(SETTINGS)
  .map(([name, value]) => `--${name} '${value}'`)
  .join(' ')} 4<&- &
server=$!
trap '' TERM
exec 3<&-
{ "$@" && kill -TERM 0; } &
wait "$server"
status=$?
trap '' USR1
kill -USR1 0
exit "$status"
`;
/** A shell reports a program ended by signal n with exit code 128 + n. */
const ENDED_BY_SIGNAL = 128;
const COMPLAINT_BYTES = 2000;

export type Server = {
  binary: string;
  /** `refuses`: it exited by itself and would again. `killed`: something else ended it. */
  state: () => 'lives' | 'refuses' | 'killed';
  /** Its last log message. */
  complaint: () => Promise<string>;
};

/**
 * Starts a directory's server, which keeps running when this process exits.
 * @param serverLock open file that holds the directory's lock, which passes to the server
 */
export async function startServer(
  directory: string,
  serverLock: number,
  lockProgram: FileLockProgram,
): Promise<Server> {
  const binary = await findServer();
  const log = await open(logPath(directory), 'a', 0o600).catch((error: unknown) => {
    throw new CannotStart(`DATA_DIR cannot be used: ${error instanceof Error ? error.message : 'no reason given'}`);
  });
  const users = openLockFile(usersLockPath(directory));
  const { size } = await log.stat();
  // Detached, so that Ctrl-C in the terminal does not stop the server before its users have closed.
  const keeper = spawn('/bin/sh', ['-c', KEEP, 'keep', lockProgram.path, ...lockProgram.args('exclusive', 'wait', 4)], {
    cwd: directory,
    env: { ...process.env, EMBEDDED_SERVER: binary, EMBEDDED_SOCKET: listenPath(directory) },
    detached: true,
    stdio: ['ignore', log.fd, log.fd, serverLock, users],
  });
  let state: ReturnType<Server['state']> = 'lives';
  keeper.once('error', () => (state = 'refuses'));
  keeper.once('exit', (code) => (state = code !== null && code > 0 && code < ENDED_BY_SIGNAL ? 'refuses' : 'killed'));
  keeper.unref();
  closeSync(users);
  await log.close();
  return { binary, state: () => state, complaint: () => readComplaint(logPath(directory), size) };
}

/** The last line written to a log since it had this size. */
async function readComplaint(path: string, since: number): Promise<string> {
  const log = await readFile(path).catch(() => Buffer.alloc(0));
  const said = log.subarray(Math.max(since, log.length - COMPLAINT_BYTES)).toString();
  const lines = said.split('\n').filter((line) => line.trim() !== '');
  return lines.findLast((line) => line.includes(' # ')) ?? lines.at(-1) ?? 'nothing';
}

/** redis-server from the PATH, or else the one fetched by the project's set-up. */
async function findServer(): Promise<string> {
  const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../../..');
  const folders = [...searchPath(), join(root, '.tools/bin'), join(root, '../.tools/bin')];
  const binary = await findProgram('redis-server', folders);
  if (binary !== null) return resolve(binary);
  throw new CannotStart('no redis-server found: install Redis 6.2 or newer, or set REDIS_URL');
}

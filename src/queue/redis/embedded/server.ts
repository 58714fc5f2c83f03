// The embedded Redis's server process: what it is started with, what holds its lock, and what ends it.
import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CannotStart } from '../../../config/cannot-start.ts';
import { listenPath } from './directory.ts';
import { findProgram, openLockFile, searchPath, type Locker } from './file-lock.ts';

/** Locked by the server, for as long as it lives. */
export const serverLockPath = (directory: string): string => join(directory, 'redis.lock');
/** Locked by each process that uses the server, shared. */
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
 * The server's parent. It ends when the server does; and it ends the server when nobody has the users' file locked any
 * more, however they went. Until the server is gone it keeps that file locked itself, so nobody joins one that is leaving.
 *
 * File 3 is the server's lock, which the server alone has from here on; file 4 is the users'. The arguments are a command
 * that waits for a lock on file 4. SIGTERM is for the server: it closes its files and ends.
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
/** A shell's exit code for a program that signal n ended is this and n. */
const ENDED_BY_SIGNAL = 128;
const COMPLAINT_BYTES = 2000;

export type Server = {
  binary: string;
  /** `refuses`: it ended by itself, and will again. `killed`: something else ended it. */
  state: () => 'lives' | 'refuses' | 'killed';
  /** What it said last. */
  complaint: () => Promise<string>;
};

/**
 * Starts the server of a directory. It goes on when this process ends.
 * @param serverLock the open file that holds the directory's lock; the server has it from here on
 */
export async function startServer(directory: string, serverLock: number, locker: Locker): Promise<Server> {
  const binary = await findServer();
  const log = await open(logPath(directory), 'a', 0o600).catch((error: unknown) => {
    throw new CannotStart(`DATA_DIR cannot be used: ${error instanceof Error ? error.message : 'no reason given'}`);
  });
  const users = openLockFile(usersLockPath(directory));
  const { size } = await log.stat();
  // Detached: a Ctrl-C in the terminal must not take the server away before its users have closed.
  const keeper = spawn('/bin/sh', ['-c', KEEP, 'keep', locker.path, ...locker.args('exclusive', 'wait', 4)], {
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

/** The last line of a log, of those written since it had this size. */
async function readComplaint(path: string, since: number): Promise<string> {
  const log = await readFile(path).catch(() => Buffer.alloc(0));
  const said = log.subarray(Math.max(since, log.length - COMPLAINT_BYTES)).toString();
  const lines = said.split('\n').filter((line) => line.trim() !== '');
  return lines.findLast((line) => line.includes(' # ')) ?? lines.at(-1) ?? 'nothing';
}

/** redis-server on the PATH, else the one the project's set-up fetched. */
async function findServer(): Promise<string> {
  const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../../..');
  const folders = [...searchPath(), join(root, '.tools/bin'), join(root, '../.tools/bin')];
  const binary = await findProgram('redis-server', folders);
  if (binary !== null) return resolve(binary);
  throw new CannotStart('no redis-server found: install Redis 6.2 or newer, or set REDIS_URL');
}

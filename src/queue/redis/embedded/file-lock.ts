// File locks kept by the kernel: a lock lasts exactly as long as some process has the file open.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants, openSync } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { CannotStart } from '../../../config/cannot-start.ts';

/** The two kinds of lock: one process alone, or any number at the same time. */
export type FileLockMode = 'exclusive' | 'shared';

/** A program that locks a file descriptor it inherits. It exits with 1 and no output if a conflicting lock is held. */
export type FileLockProgram = {
  path: string;
  args: (mode: FileLockMode, patience: 'at once' | 'wait', fd: number) => string[];
};

const LOCKED_ELSEWHERE = 1;

/**
 * Node cannot lock files, but it can open a file and pass it on: flock(2) locks belong to the open file, not to a process,
 * so flock(1) locks it and exits, and we (or the child we pass it to) hold the lock. Linux has flock in util-linux or
 * busybox; macOS lacks it but has Perl.
 */
const FILE_LOCK_PROGRAMS: { program: string; args: FileLockProgram['args'] }[] = [
  {
    program: 'flock',
    args: (mode, patience, fd) => [
      mode === 'exclusive' ? '-x' : '-s',
      ...(patience === 'at once' ? ['-n'] : []),
      String(fd),
    ],
  },
  {
    program: 'perl',
    args: (mode, patience, fd) => [
      '-MFcntl=:flock',
      '-e',
      'open(my $file, "+<&=", $ARGV[1]) or die $!; flock($file, $ARGV[0]) and exit 0; exit 1 if $!{EWOULDBLOCK}; die $!',
      // LOCK_SH, LOCK_EX and LOCK_NB have the same values everywhere.
      String((mode === 'exclusive' ? 2 : 1) | (patience === 'at once' ? 4 : 0)),
      String(fd),
    ],
  },
];
/** Searched after PATH, which a supervisor may have shortened. */
const USUAL_FOLDERS = ['/usr/bin', '/bin', '/usr/local/bin', '/opt/homebrew/bin'];

/**
 * Finds the first of the programs above that is installed.
 * @throws CannotStart if none is
 */
export async function findFileLockProgram(folders = [...searchPath(), ...USUAL_FOLDERS]): Promise<FileLockProgram> {
  for (const { program, args } of FILE_LOCK_PROGRAMS) {
    const path = await findProgram(program, folders);
    if (path !== null) return { path, args };
  }
  throw new CannotStart(
    'the embedded Redis needs the program flock, to be the only one in its directory: install util-linux, or set REDIS_URL',
  );
}

export const searchPath = (): string[] =>
  (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');

/** Finds an executable file. @returns its path; null if it is in none of the folders */
export async function findProgram(name: string, folders: readonly string[]): Promise<string | null> {
  for (const folder of folders) {
    const path = join(folder, name);
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return path;
  }
  return null;
}

/**
 * Opens a file for locking, accessible to its owner only.
 * @throws CannotStart if it cannot be opened
 */
export function openLockFile(path: string): number {
  try {
    return openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  } catch (error) {
    throw new CannotStart(`DATA_DIR cannot be used: ${error instanceof Error ? error.message : 'no reason given'}`);
  }
}

/**
 * Locks an open file unless another process holds a conflicting lock.
 * @returns false if one does; a lock of the other kind that we held may then be lost, since flock(2) releases it first
 * @throws CannotStart if the file cannot be locked, as on a file system without locks
 */
export async function tryLock(fd: number, mode: FileLockMode, lockProgram: FileLockProgram): Promise<boolean> {
  const child = spawn(lockProgram.path, lockProgram.args(mode, 'at once', 3), {
    stdio: ['ignore', 'ignore', 'pipe', fd],
  });
  let complaint = '';
  child.stderr?.on('data', (bytes: Buffer) => (complaint += bytes.toString()));
  const [code] = (await once(child, 'close').catch((error: unknown) => {
    complaint = String(error);
    return [null];
  })) as [number | null];
  if (code === 0) return true;
  if (code === LOCKED_ELSEWHERE && complaint === '') return false;
  throw new CannotStart(`files in DATA_DIR cannot be locked: ${complaint.trim() || `${lockProgram.path} failed`}`);
}

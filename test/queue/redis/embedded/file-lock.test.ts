// A lock that the kernel keeps: one holder, handed down to a child, released by its death; with each program that can lock.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  findFileLockProgram,
  findProgram,
  openLockFile,
  tryLock,
  type FileLockProgram,
} from '../../../../src/queue/redis/embedded/file-lock.ts';

let directory: string;
let opened: number[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'runstate-lock-'));
  opened = [];
});
afterEach(async () => {
  opened.forEach((fd) => closeSync(fd));
  await rm(directory, { recursive: true, force: true });
});

function open(): number {
  const fd = openLockFile(join(directory, 'lock'));
  opened.push(fd);
  return fd;
}

/** A machine that has this program and no other. */
async function fileLockProgramOf(program: string): Promise<FileLockProgram> {
  const path = await findProgram(program, ['/usr/bin', '/bin']);
  await symlink(path ?? '', join(directory, program));
  return findFileLockProgram([directory]);
}

const PROGRAMS = await Promise.all(
  ['flock', 'perl'].map(async (program) => ({ program, missing: !(await findProgram(program, ['/usr/bin', '/bin'])) })),
);

describe.each(PROGRAMS)('with $program', ({ program, missing }) => {
  test.skipIf(missing)('one exclusive holder · or many shared ones', async () => {
    const lockProgram = await fileLockProgramOf(program);
    const [first, second, third] = [open(), open(), open()];
    expect(await tryLock(first, 'shared', lockProgram)).toBe(true);
    expect(await tryLock(second, 'shared', lockProgram)).toBe(true);
    expect(await tryLock(third, 'exclusive', lockProgram)).toBe(false);
    closeSync(opened.shift() ?? 0);
    expect(await tryLock(second, 'exclusive', lockProgram)).toBe(true);
    expect(await tryLock(third, 'shared', lockProgram)).toBe(false);
  });

  test.skipIf(missing)('handed to a child · the child’s, until it is killed', async () => {
    const lockProgram = await fileLockProgramOf(program);
    const mine = open();
    expect(await tryLock(mine, 'exclusive', lockProgram)).toBe(true);
    const child = spawn('sleep', ['600'], { stdio: ['ignore', 'ignore', 'ignore', mine] });
    closeSync(opened.shift() ?? 0);
    const other = open();
    expect(await tryLock(other, 'exclusive', lockProgram)).toBe(false);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await tryLock(other, 'exclusive', lockProgram)).toBe(true);
  });

  test.skipIf(missing)('twenty that try at once · one has it', async () => {
    const lockProgram = await fileLockProgramOf(program);
    const got = await Promise.all(Array.from({ length: 20 }, () => tryLock(open(), 'exclusive', lockProgram)));
    expect(got.filter(Boolean)).toHaveLength(1);
  });
});

test('a machine with neither · is told what to install', async () => {
  await expect(findFileLockProgram([directory])).rejects.toThrow(
    /needs the program flock.*install util-linux, or set REDIS_URL/,
  );
});

test('a file system without locks · is no “somebody has it”', async () => {
  const lockProgram = { path: '/bin/sh', args: () => ['-c', 'echo "flock: 3: No locks available" >&2; exit 1'] };
  await expect(tryLock(open(), 'exclusive', lockProgram)).rejects.toThrow(
    'files in DATA_DIR cannot be locked: flock: 3: No locks available',
  );
});

// Other versions of the service, to run beside this one: an earlier commit, and a later one that reads the next format.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { READS_FORMAT } from '../../src/queue/lua/constants.ts';

const ROOT = join(import.meta.dirname, '../..');
/** The directory of the present version. */
export const presentVersion = ROOT;
/** What a process is made of; its packages are shared. */
const PARTS = ['src', 'workers', 'package.json'];
const FORMAT_LINE = `export const READS_FORMAT = ${READS_FORMAT};`;

/** A directory with the entry files of a version. */
export type Version = { directory: string; remove: () => void };

/** The full name of a commit; null where there is no history that has it, as in an image or a shallow clone. */
export function findCommit(name: string): string | null {
  const asked = spawnSync('git', ['rev-parse', '--verify', '--quiet', `${name}^{commit}`], { cwd: ROOT });
  return asked.status === 0 ? asked.stdout.toString().trim() : null;
}

/** The service as of a commit. It runs as it is: Node leaves the types out. */
export function earlierVersion(commit: string): Version {
  const version = openVersion();
  const archive = execFileSync('git', ['archive', commit, ...PARTS], { cwd: ROOT, maxBuffer: 256 * 1024 * 1024 });
  execFileSync('tar', ['-x', '-C', version.directory], { input: archive });
  return version;
}

/** The present service, except that it reads the next format as well. */
export function laterVersion(): Version {
  const version = openVersion();
  for (const part of PARTS) cpSync(join(ROOT, part), join(version.directory, part), { recursive: true });
  const file = join(version.directory, 'src/queue/lua/constants.ts');
  const text = readFileSync(file, 'utf8');
  if (!text.includes(FORMAT_LINE)) throw new Error(`${file} has no line “${FORMAT_LINE}”`);
  writeFileSync(file, text.replace(FORMAT_LINE, `export const READS_FORMAT = ${READS_FORMAT + 1};`));
  return version;
}

function openVersion(): Version {
  const directory = mkdtempSync(join(tmpdir(), 'runstate-version-'));
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

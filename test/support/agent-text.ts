// The sh agent's awk program, which turns printed bytes into the inside of a JSON string, run by itself under each awk.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AGENT, isInstalled } from './agent.ts';

/** How each awk is called; tests of a missing one are skipped by name. */
export const AWKS = ['mawk', 'gawk', 'busybox awk', 'original-awk'].map((command) => {
  const isMissing = !isInstalled(command.replace(/ .*/, ''));
  return { awk: isMissing ? `${command} – skipped, it is not installed` : command, command, isMissing };
});

const PROGRAM = /^TEXT_PROGRAM='\n([^']*)'$/m;

/** What becomes of each text, in one process tree: an awk that is started by Node each time takes several times as long. */
export function toTexts(awk: string, printed: readonly (string | Buffer)[]): string[] {
  const directory = mkdtempSync(join(tmpdir(), 'runstate-agent-text-'));
  try {
    const program = PROGRAM.exec(readFileSync(AGENT, 'utf8'))?.[1];
    if (program === undefined) throw new Error(`${AGENT} has no TEXT_PROGRAM`);
    writeFileSync(join(directory, 'program'), program);
    printed.forEach((one, index) => writeFileSync(join(directory, `${index}`), one));
    const each = `i=0; while [ $i -lt ${printed.length} ]; do
      od -An -v -tu1 $i | ${awk} -v masking=1 -v json=1 -f program >$i.text || exit 1; i=$((i + 1)); done`;
    execFileSync('sh', ['-c', each], { cwd: directory, env: { PATH: process.env['PATH'], LC_ALL: 'C' } });
    return printed.map(
      (_one, index) => JSON.parse(`"${readFileSync(join(directory, `${index}.text`), 'utf8')}"`) as string,
    );
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

// Whether every promise of an agent was kept: what it said, what is left in its spool, and which records came of it.
import type { SpoolFile } from './device.ts';

/** What an invocation that had a result to keep said. */
export type Promised = {
  runId: string;
  isPoison: boolean;
  /** Its exit code; null if it was killed. */
  code: number | null;
};

export type Facts = {
  promised: Promised[];
  /** The run id that each of the device's records names: not in its output, which a full disk may cost the command. */
  records: string[];
  /** Left in the spool after everything was repaired. */
  files: SpoolFile[];
};

/** Each of the codes with which a result is kept, sent or set aside. */
const KEPT_CODES: readonly (number | null)[] = [0, 65, 75];

export function judge({ promised, records, files }: Facts): string[] {
  const violations: string[] = [];
  const refused = new Map(
    files.filter(({ name }) => name.startsWith('refused/')).map((file) => [file.name, file.text]),
  );
  for (const { runId, isPoison, code } of promised) {
    const created = records.filter((id) => id === runId).length;
    const name = [...refused.keys()].find((path) => path.endsWith(`-${runId}.json`));
    if (created > 1) violations.push(`${runId}: ${created} records`);
    if (created > 0 && (name !== undefined || isPoison)) violations.push(`${runId}: refused, and a record`);
    if (name !== undefined && !refused.get(`${name}.answer`)?.includes('"code":"'))
      violations.push(`${runId}: refused without a reason`);
    if (KEPT_CODES.includes(code) && created === 0 && name === undefined)
      violations.push(`${runId}: lost after ${code}`);
    if (code !== null && !KEPT_CODES.includes(code) && created > 0) violations.push(`${runId}: a record after ${code}`);
  }
  const known = new Set(promised.map(({ runId }) => runId));
  for (const record of records.filter((id) => !known.has(id))) violations.push(`${record}: a record of no run`);
  const left = files.filter(({ name }) => !name.startsWith('refused/'));
  for (const { name } of left) violations.push(`${name}: left in the spool`);
  return violations;
}

// What the processes' logs tell of a run: bugs they own up to, and which of the service's safeguards were really needed.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PARTIES } from './plan.ts';

export type LogFindings = {
  defects: string[];
  /** How often each safeguard was exercised; a campaign that needs none proves nothing. */
  exercised: Record<string, number>;
};

const SAFEGUARDS: Record<string, RegExp> = {
  'found by looking': /"outcome":"found"/,
  'created again': /"then":"create-again"/,
  'looked in vain': /"outcome":"absent"/,
  'worker lost in mid-delivery': /a worker went away in the middle/,
  'twins changed places': /the record it made was taken/,
  'woken without a job': /open deliveries had no job/,
  held: /"msg":"held:/,
  throttled: /"msg":"throttled:/,
  'refused with 503': /"route":"\/v1\/run-results","status":503/,
  'known already': /"outcome":"duplicate"/,
  'stopped by force': /grace period over/,
};
const DEFECT = /"msg":"defect|fetches nothing/;
const SHOWN = 800;

export async function readProcessLogs(directory: string): Promise<LogFindings> {
  const lines = await Promise.all(
    PARTIES.map(async (party) =>
      (await readFile(join(directory, `${party}.log`), 'utf8')).split('\n').map((line) => `${party}: ${line}`),
    ),
  ).then((logs) => logs.flat());
  const count = (pattern: RegExp) => lines.filter((line) => pattern.test(line)).length;
  return {
    defects: lines.filter((line) => DEFECT.test(line)).map((line) => line.slice(0, SHOWN)),
    exercised: Object.fromEntries(Object.entries(SAFEGUARDS).map(([name, pattern]) => [name, count(pattern)])),
  };
}

// `doctor`: checks whether this environment can deliver; prints each finding with a remedy.
import { worst, type Finding, type Result } from '../../doctor/finding.ts';
import type { Scope } from '../../doctor/configuration.ts';
import { toVerdict } from '../../doctor/verdict.ts';
import { confirm } from '../operator/confirm.ts';
import { examine } from './doctor-checks.ts';
import { EXIT } from '../exit.ts';
import { OperatorError } from '../operator/operator.ts';
import { onUnread, print, printJson } from '../out.ts';

export type DoctorFlags = {
  for: Scope;
  configuration?: string;
  writeProbe?: string;
  alertTest?: true;
  yes?: true;
  json?: true;
};

const WORDS: Record<Result, string> = { ok: 'ok', warning: 'WARNING', failed: 'FAILED', skipped: 'skipped' };
const EXIT_OF: Record<Result, number> = {
  ok: EXIT.ok,
  skipped: EXIT.ok,
  warning: EXIT.degraded,
  failed: EXIT.failed,
};

/** Prints findings as they come; the exit code reflects the worst. */
export async function runDoctor(flags: DoctorFlags): Promise<void> {
  const { writeProbe, configuration, json } = flags;
  if (writeProbe !== undefined) {
    if (flags.for === 'api') throw new OperatorError('--write-probe is nothing the API could do', EXIT.usage);
    await confirm(
      `Create one record under hardware configuration ${writeProbe} in the tenant of this environment, and delete it?`,
      flags.yes,
    );
    // The record must be deleted even if the output pipe is closed.
    onUnread(() => undefined);
  }
  const findings: Finding[] = [];
  const round = {
    scope: flags.for,
    configurationId: configuration?.toLowerCase() ?? null,
    probeConfigurationId: writeProbe?.toLowerCase() ?? null,
    alertTest: flags.alertTest === true,
  };
  for await (const finding of examine(process.env, round)) {
    findings.push(finding);
    if (!json) print(...toLines(finding));
  }
  const result = worst(findings);
  if (json) printJson({ result, findings });
  else print('', ...toVerdict(findings, flags.for));
  const unusable = findings.some(({ check, result: of }) => check === 'configuration' && of === 'failed');
  process.exitCode = unusable ? EXIT.config : EXIT_OF[result];
}

function toLines({ check, result, detail, remedy }: Finding): string[] {
  const line = `${WORDS[result].padEnd(8)} ${check.padEnd(20)} ${detail}`;
  return [line, ...(remedy === null ? [] : [`${' '.repeat(30)}→ ${remedy}`])];
}

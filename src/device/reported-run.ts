// A run as the program around a tool knows it → the run result that is kept: checked, clean and without passwords.
import { randomBytes } from 'node:crypto';
import { parseRunResult, type Fault, type RunState } from '../domain/submission/run-result.ts';
import { toReportedText } from './text/reported-text.ts';

/** What was run, and how it ended. */
export type ReportedRun = {
  hardwareConfigurationId: string;
  policyVersion: number;
  /** The tool's exit code, signed or unsigned; one of this and `state` is required. */
  exitCode?: number;
  /** Wins over the exit code. */
  state?: RunState;
  /** What the tool printed: text, or the bytes as it printed them. Long ones keep head and tail. */
  output?: string | Uint8Array;
  error?: string | Uint8Array;
  /** In which bytes without a byte order mark are, as Windows numbers it: 850, 1252 …; without it UTF-8. */
  codePage?: number;
  /** Made once if it is not given. The same id with the same content is the same run. */
  runId?: string;
  /** RFC 3339, or now. */
  completedAt?: string | Date;
  deviceName?: string;
  osVersion?: string;
  upn?: string;
};

/** A run that no bridge would accept; nothing is kept of it. */
export class InvalidRun extends Error {
  readonly faults: Fault[];
  constructor(faults: Fault[]) {
    super(`not a run result: ${faults.map(({ pointer, detail }) => `${pointer || '/'} ${detail}`).join(', ')}`);
    this.name = 'InvalidRun';
    this.faults = faults;
  }
}

export type RunDefaults = { deviceId: string; deviceName: string; osVersion: string; nowMs: number };

/** @throws InvalidRun, or RangeError for a code page that is not known */
export function toRunResult(run: ReportedRun, defaults: RunDefaults): { runId: string; line: string } {
  const { output, error, codePage, completedAt = new Date(defaults.nowMs), ...members } = run;
  const runId = run.runId ?? randomBytes(16).toString('hex');
  const runResult = {
    deviceName: defaults.deviceName,
    osVersion: defaults.osVersion,
    ...members,
    runId,
    deviceId: defaults.deviceId,
    completedAt: typeof completedAt === 'string' ? completedAt : completedAt.toISOString(),
    ...toText('output', output, codePage),
    ...toText('error', error, codePage),
  };
  const parsed = parseRunResult(runResult);
  if (!parsed.ok) throw new InvalidRun(parsed.faults);
  return { runId, line: JSON.stringify(runResult) };
}

/** What printed nothing is left out. */
function toText(
  name: 'output' | 'error',
  printed: string | Uint8Array | undefined,
  codePage: number | undefined,
): object {
  const text = printed === undefined ? '' : toReportedText(printed, codePage);
  return text === '' ? {} : { [name]: text };
}

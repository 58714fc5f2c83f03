// What a simulated device reports in the campaign: contents chosen to be awkward, all from the plan's dice.
import { pick, wholeNumber, type Random } from '../../src/sandbox/random.ts';

/** A run result as it is sent. */
export type SentRunResult = {
  runId: string;
  deviceId: string;
  hardwareConfigurationId: string;
  deviceName: string;
  policyVersion: number;
  completedAt: string;
  osVersion?: string;
  upn?: string | null;
  state?: string;
  exitCode?: number;
  output?: string;
  error?: string;
};

const NAMES = ['LAB', "O'Brien", 'Büro 4', 'A&B+C%20', 'host#1?x=y', '端末'] as const;
const STATES = ['unknown', 'success', 'fail', 'scriptError', 'pending', 'notApplicable'] as const;
const EXIT_CODES = [0, 3010, 1641, 1, -1, 2147483647, -2147483648] as const;
const OFFSETS = ['Z', '+00:00', '+05:30', '-08:00', '+14:00', '-00:30'] as const;
const UPNS = [undefined, null, 'a.nowak@contoso.example', "r.o'brien@contoso.example"] as const;
/** As vendors' tools write: longer than a store may keep. */
const LONG_OUTPUT = Array.from({ length: 60 }, (_, line) => `setting ${line}: applied, was ${line % 3}`).join('\r\n');
const OUTPUTS = [
  undefined,
  '',
  'ok',
  'line one\r\nline two\r\n',
  'trailing space   ',
  '😀 Ünïcode "quoted" \\ \t end',
  'null',
  'x'.repeat(20_000),
  LONG_OUTPUT,
] as const;

type PlannedRun = {
  random: Random;
  /** Tells this run apart from every other of the plan. */
  number: number;
  deviceId: string;
  hardwareConfigurationId: string;
  now: number;
};

export function planRunResult({ random, number, deviceId, hardwareConfigurationId, now }: PlannedRun): SentRunResult {
  const [osVersion, upn] = [
    random() < 0.7 ? `10.0.${wholeNumber(random, 20_000, 29_999)}` : undefined,
    pick(random, UPNS),
  ];
  const [output, error] = [pick(random, OUTPUTS), random() < 0.2 ? `error ${number}` : undefined];
  const by = pick(random, ['state', 'exitCode', 'both'] as const);
  return {
    runId: `run-${number}`,
    deviceId,
    hardwareConfigurationId: random() < 0.2 ? hardwareConfigurationId.toUpperCase() : hardwareConfigurationId,
    // Now and then two devices have the same name.
    deviceName: `${pick(random, NAMES)}-${random() < 0.1 ? 'same' : deviceId}`,
    policyVersion: wholeNumber(random, 0, 3),
    completedAt: planInstant(random, now),
    ...(osVersion !== undefined && { osVersion }),
    ...(upn !== undefined && { upn }),
    ...(by !== 'exitCode' && { state: pick(random, STATES) }),
    ...(by !== 'state' && { exitCode: pick(random, EXIT_CODES) }),
    ...(output !== undefined && { output }),
    ...(error !== undefined && { error }),
  };
}

function planInstant(random: Random, now: number): string {
  const local = new Date(now - wholeNumber(random, 0, 86_400_000)).toISOString().slice(0, 19);
  const fraction = Array.from({ length: wholeNumber(random, 0, 7) }, () => wholeNumber(random, 0, 9)).join('');
  return `${local}${fraction === '' ? '' : '.'}${fraction}${pick(random, OFFSETS)}`;
}

// Formats the measurements as a Markdown table, and each aim with its result.
import { BATCH, FLOOR, OURS, PLAIN, VERIFIED, type Candidate } from './candidates.ts';
import { RUN_RESULT_BYTES } from './requests.ts';
import type { Measured } from './round.ts';

export type Found = {
  candidates: Map<Candidate, Measured[]>;
  /** At 70 % of the load that each bears. */
  calm: Map<Candidate, Measured[]>;
  /** Our single route with a backlog of this size. */
  full: Measured[];
  backlog: number;
};

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.floor(middle)] ?? NaN) + (sorted[Math.ceil(middle) - 1] ?? NaN)) / 2;
}

const COLUMNS = [
  'accepted/s',
  'range',
  'p50 ms',
  'p99 ms',
  'server µs',
  'Redis µs',
  'bytes in Redis',
  'server RSS MiB',
];

export function toTable({ candidates, full, calm, backlog }: Found): string[] {
  const rows: [string, Measured[]][] = [
    ...Array.from(candidates, ([{ name }, rounds]): [string, Measured[]] => [name, rounds]),
    ...Array.from(calm, ([{ name }, rounds]): [string, Measured[]] => [`${name}, at 70 % of its load`, rounds]),
    [`${OURS.name}, ${backlog.toLocaleString('en')} waiting`, full],
  ];
  return [
    `| | ${COLUMNS.join(' | ')} |`,
    `| --- |${' ---: |'.repeat(COLUMNS.length)}`,
    ...rows
      .filter(([, rounds]) => rounds.length > 0)
      .map(([name, rounds]) => `| ${[name, ...toCells(rounds)].join(' | ')} |`),
  ];
}

function toCells(rounds: readonly Measured[]): string[] {
  const of = (member: keyof Measured) => median(rounds.map((round) => round[member]));
  const rates = rounds.map(({ perS }) => Math.round(perS));
  return [
    of('perS').toFixed(0),
    `${Math.min(...rates)}–${Math.max(...rates)}`,
    of('p50Ms').toFixed(1),
    of('p99Ms').toFixed(1),
    of('serverUs').toFixed(1),
    of('redisUs').toFixed(1),
    of('bytes').toFixed(0),
    (of('serverRssBytes') / 1_048_576).toFixed(0),
  ];
}

/** `byProcessor`: the same in processor time of the servers, which other load on the machine hardly affects. */
type Aim = {
  text: string;
  measured: number;
  byProcessor?: number;
  unit: string;
  met: (measured: number) => boolean;
};

export function toAims({ candidates, full, calm, backlog }: Found): string[] {
  const of = (candidate: Candidate, member: keyof Measured) =>
    median((candidates.get(candidate) ?? []).map((round) => round[member]));
  const ours = candidates.get(OURS) ?? [];
  const times = (text: string, least: number, faster: Candidate, slower: Candidate): Aim => ({
    text: `${text}: at least ${least} times`,
    measured: of(faster, 'perS') / of(slower, 'perS'),
    byProcessor: of(slower, 'serverUs') / of(faster, 'serverUs'),
    unit: ' times',
    met: (factor) => factor >= least,
  });
  const fullPerS = full.map(({ perS }) => perS);
  const calmP99Ms = (candidate: Candidate) => median((calm.get(candidate) ?? []).map(({ p99Ms }) => p99Ms));
  const noisePerS = Math.min(...ours.map(({ perS }) => perS));
  const aims: Aim[] = [
    times(`accepted/s, beside ${PLAIN.name}`, 1, OURS, PLAIN),
    times(`accepted/s, beside ${VERIFIED.name}`, 2, OURS, VERIFIED),
    times(`accepted/s, beside ${FLOOR.name}`, 0.6, OURS, FLOOR),
    times('batches, beside our own single route', 5, BATCH, OURS),
    {
      text: 'bytes in Redis, beside the run result: at most 1.5 times',
      measured: median(ours.map(({ bytes }) => bytes)) / RUN_RESULT_BYTES,
      unit: ' times',
      met: (factor) => factor <= 1.5,
    },
    {
      text: 'p99 at 70 % of full load: at most 25 ms',
      measured: calmP99Ms(OURS),
      unit: ' ms',
      met: (ms) => ms <= 25,
    },
    {
      text: `the same, beside ${PLAIN.name} at 70 % of its own load: at most once`,
      measured: calmP99Ms(OURS) / calmP99Ms(PLAIN),
      unit: ' times',
      met: (factor) => factor <= 1,
    },
    {
      text: `rate with ${backlog.toLocaleString('en')} waiting, beside none: the same within the range of rounds`,
      measured: median(fullPerS) / of(OURS, 'perS'),
      unit: ' times',
      met: () => Math.max(...fullPerS) >= noisePerS,
    },
  ];
  return [
    '| aim | measured | by processor time | |',
    '| --- | ---: | ---: | --- |',
    ...aims.map(({ text, measured, byProcessor, unit, met }) => {
      const processor = byProcessor === undefined ? '' : `${byProcessor.toFixed(2)}${unit}`;
      return `| ${text} | ${measured.toFixed(2)}${unit} | ${processor} | ${met(measured) ? 'met' : 'missed'} |`;
    }),
  ];
}

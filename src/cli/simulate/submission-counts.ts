// Counts the outcomes of many submissions: accepted, known, refused by code, unanswered by reason.
import type { SubmitOutcome } from '../../device/outcome.ts';
import { EXIT } from '../exit.ts';

export type SubmissionCounts = {
  submitted: number;
  accepted: number;
  known: number;
  refused: Record<string, number>;
  unanswered: Record<string, number>;
};

const LATER = /^(408|429|5\d\d) /;
/** Something other than the bridge answered. */
const ELSEWHERE = /^answered /;

export const createSubmissionCounts = (): SubmissionCounts => ({
  submitted: 0,
  accepted: 0,
  known: 0,
  refused: {},
  unanswered: {},
});

export function count(counts: SubmissionCounts, outcome: SubmitOutcome): void {
  counts.submitted += 1;
  switch (outcome.kind) {
    case 'accepted':
      counts.accepted += 1;
      break;
    case 'duplicate':
      counts.known += 1;
      break;
    case 'refused':
      addOne(counts.refused, `${outcome.httpStatus} ${outcome.code}`);
      break;
    case 'unreachable':
      addOne(counts.unanswered, outcome.reason);
      break;
  }
}

function addOne(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}

/** 65 if any was refused for good, 69 if something other than the bridge answered, 75 if any was refused for now or unanswered. */
export function exitCodeOf(...all: SubmissionCounts[]): number {
  const codes = all.flatMap(({ refused }) => Object.keys(refused));
  if (codes.some((code) => !LATER.test(code))) return EXIT.refused;
  const reasons = all.flatMap(({ unanswered }) => Object.keys(unanswered));
  if (reasons.some((reason) => ELSEWHERE.test(reason))) return EXIT.unavailable;
  return codes.length + reasons.length > 0 ? EXIT.later : EXIT.ok;
}

type Row = [what: string, howMany: number | string, remark: string];

/** Submissions that were not accepted, one row per reason. */
export const toRefusalRows = ({ refused, unanswered }: SubmissionCounts): Row[] => [
  ...Object.entries(refused).map(([code, times]): Row => ['refused', times, code]),
  ...Object.entries(unanswered).map(([reason, times]): Row => ['not answered', times, reason]),
];

export const toLatencyRows = (percentiles: Record<string, number | null>): Row[] =>
  Object.entries(percentiles).map(([name, ms]) => [`latency ${name}`, ms === null ? '–' : `${ms} ms`, '']);

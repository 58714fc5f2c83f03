// Formats the cells as a Markdown table: the used share of the limit, and the refused share of requests.
import { WINDOW_S } from '../../src/domain/pace/per-window.ts';
import type { Measured } from './cell.ts';
import type { Cell } from './cells.ts';

/** One row per sender, limiter and kind of response; one column per limit. */
export function toTable(measured: readonly Measured[]): string {
  const columns = [...new Set(measured.map(({ cell }) => toLoad(cell)))];
  const rows = [...new Set(measured.map(({ cell }) => toRow(cell)))];
  const lines = rows.map((row) => {
    const cells = columns.map((load) => measured.find(({ cell }) => toRow(cell) === row && toLoad(cell) === load));
    return `| ${row} | ${cells.map(toText).join(' | ')} |`;
  });
  const head = ['sender', 'processes', 'limiter', 'Retry-After', ...columns];
  return [`| ${head.join(' | ')} |`, `|${' --- |'.repeat(head.length)}`, ...lines].join('\n');
}

/** For each sender, how many cells reach the aims, steady and in steps. */
export function toSummary(measured: readonly Measured[]): string[] {
  const senders = [...new Set(measured.map(({ cell }) => cell.sender))];
  return senders.flatMap((sender) =>
    [false, true].flatMap((stepped) => {
      const own = measured.filter(({ cell }) => cell.sender === sender && cell.limits.length > 1 === stepped);
      if (own.length === 0) return [];
      const reached = own.filter(({ used, refused }) => used >= (stepped ? 0.9 : 0.97) && refused < 0.01);
      const load = stepped ? 'in steps' : 'steady';
      const early = own.reduce((sum, { calledEarly }) => sum + calledEarly, 0);
      return [
        `${sender}, ${load}: used ${range(own.map(({ used }) => used))}, refused ${range(own.map(({ refused }) => refused))}; ` +
          `${reached.length} of ${own.length} reach the aims; called early ${early} times`,
      ];
    }),
  );
}

export function toText(measured: Measured | undefined): string {
  return measured ? `${percent(measured.used, 1)} / ${percent(measured.refused, 2)}` : '–';
}

const toRow = ({ sender, processes, limiter, retryAfter }: Cell) =>
  [sender, processes, limiter.replace('-', ' '), retryAfter ? 'yes' : 'no'].join(' | ');

export const toLoad = ({ limits, windowS, noise }: Cell) =>
  [
    limits.length === 1 ? `limit ${limits[0]}` : limits.join(' → '),
    windowS === WINDOW_S ? [] : `in ${windowS} s`,
    noise === 0 ? [] : `${noise * 100} % noise`,
  ]
    .flat()
    .join(' ');

function range(shares: number[]): string {
  const sorted = shares.toSorted((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)];
  return `${percent(sorted[0], 2)}–${percent(sorted.at(-1), 2)} % (median ${percent(median, 2)} %)`;
}

const percent = (share = NaN, digits = 0) => (share * 100).toFixed(digits);

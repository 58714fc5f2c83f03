// Lists as CSV (RFC 4180), which a spreadsheet shows as text: no cell is a formula.
import { toVisible } from '../operations/visible-text.ts';

/** The line of names, and the line of one entry. */
export type Csv<T> = { head: string; toLine: (entry: T) => string };

/** What spreadsheets take for the beginning of a formula, also in full width and after white space. */
const FORMULA = /^\s*[=+\-@\uFF1D\uFF0B\uFF0D\uFF20]/;

/** @param columns by name; null is an empty cell */
export function createCsv<T>(columns: Readonly<Record<string, (entry: T) => string | number | null>>): Csv<T> {
  return {
    head: toLine(Object.keys(columns)),
    toLine: (entry) => toLine(Object.values(columns).map((read) => String(read(entry) ?? ''))),
  };
}

const toLine = (cells: readonly string[]) => `${cells.map(toCell).join(',')}\r\n`;

/** Always quoted: a list separator of another language must not begin a cell. */
function toCell(text: string): string {
  const visible = toVisible(text);
  return `"${(FORMULA.test(visible) ? `'${visible}` : visible).replaceAll('"', '""')}"`;
}

/** @param at milliseconds since 1970 */
export const toIsoCell = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString());

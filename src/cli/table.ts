// Formats a table as lines; cells are escaped and wrapped to their column.
import Table from 'cli-table3';
import { toVisible } from '../domain/operations/visible-text.ts';

export type Cell = string | number;

/** A column's padding, both sides together. */
const PADDING = 2;

/** @param colWidths widths to wrap cells at; nothing is cut off */
export function toTable(head: readonly string[], rows: readonly (readonly Cell[])[], colWidths?: number[]): string[] {
  const wrapped = colWidths && { colWidths, wordWrap: true };
  const table = new Table({ head: [...head], style: { head: [], border: [] }, ...wrapped });
  const toCell = (cell: Cell, column: number) => breakWords(toVisible(String(cell)), colWidths?.[column]);
  table.push(...rows.map((row) => row.map(toCell)));
  return table.toString().split('\n');
}

/** Breaks words longer than their column, which the table would cut off. */
function breakWords(text: string, width: number | undefined): string {
  return width === undefined ? text : text.replace(new RegExp(`\\S{${width - PADDING}}(?=\\S)`, 'g'), '$& ');
}

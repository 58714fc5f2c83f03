// Compares the learned budget with BullMQ's limiter and the Graph SDK's retries against unknown limits.
import { parseArgs } from 'node:util';
import { runCell, type Measured } from './cell.ts';
import { listCells, listOddCells, type Cell, type Sender } from './cells.ts';
import { toLoad, toSummary, toTable, toText } from './table.ts';

const { values } = parseArgs({
  options: {
    'time-scale': { type: 'string', default: '4' },
    minutes: { type: 'string', default: '7' },
    'step-minutes': { type: 'string', default: '10' },
    processes: { type: 'string', default: '1,4' },
    senders: { type: 'string', default: 'runstate-bridge,BullMQ limiter,Graph SDK retries' },
    /** Words that a cell's description must contain, all of them. */
    only: { type: 'string', default: '' },
    'at-once': { type: 'string', default: '8' },
  },
});
const timeScale = Number(values['time-scale']);
const wanted = values.only.split(',').filter((word) => word !== '');

const describe = (cell: Cell) =>
  `${cell.sender}, ${cell.limiter}, ${cell.retryAfter ? 'with Retry-After' : 'without Retry-After'}, ${cell.processes} processes, ${toLoad(cell)}`;

const asked = {
  minutes: Number(values.minutes),
  stepMinutes: Number(values['step-minutes']),
  processes: values.processes.split(',').map(Number),
  senders: values.senders.split(',') as Sender[],
};
const cells = [...listCells(asked), ...listOddCells(asked)].filter((cell) =>
  wanted.every((word) => describe(cell).includes(word)),
);

const waiting = [...cells];
const measured: Measured[] = [];

async function work(): Promise<void> {
  for (let cell = waiting.shift(); cell; cell = waiting.shift()) {
    const result = await runCell(cell, timeScale).catch((error: unknown) => String(error));
    if (typeof result !== 'string') measured.push(result);
    tell(`${describe(cell)}: ${typeof result === 'string' ? result : toText(result)}`);
  }
}

tell(`${cells.length} cells, time ${timeScale} times as fast, ${values['at-once']} at once; used % / refused %`);
await Promise.all(Array.from({ length: Number(values['at-once']) }, work));
measured.sort((a, b) => cells.indexOf(a.cell) - cells.indexOf(b.cell));
tell(`\n${toTable(measured)}\n`);
toSummary(measured).forEach(tell);

function tell(line: string): void {
  process.stdout.write(`${line}\n`);
}

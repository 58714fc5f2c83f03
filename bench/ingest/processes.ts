// Measures what API_PROCESSES is worth: one container with one and with two API processes, in turn, on all cores.
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { OURS } from './candidates.ts';
import { startLoad } from './load-process.ts';
import { median } from './report.ts';
import { runRound, type Measured } from './round.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    processes: { type: 'string', default: '1,2' },
    /** Share of the usual number of run results per round. */
    share: { type: 'string', default: '1' },
  },
});

const secrets = {
  DEVICE_GROUP_KEYS: randomBytes(64).toString('base64'),
  OPERATOR_TOKEN: randomBytes(32).toString('hex'),
};
const load = startLoad();
const found = new Map<string, Measured[]>();
for (let round = 1; round <= Number(values.rounds); round += 1) {
  for (const count of values.processes.split(',')) {
    const environment = { ...secrets, API_PROCESSES: count };
    const circumstances = { environment, pinned: false, ratePerS: null, fill: null, share: Number(values.share) };
    found.set(count, [...(found.get(count) ?? []), await runRound(OURS, circumstances, load)]);
  }
}
load.close();

say('API_PROCESSES  accepted/s  p99 ms  server µs  cores used by the API  MiB');
for (const [count, rounds] of found) {
  const of = (member: keyof Measured) => median(rounds.map((round) => round[member]));
  const cells: [number | string, number, number][] = [
    [count, 13, 0],
    [of('perS'), 12, 0],
    [of('p99Ms'), 8, 1],
    [of('serverUs'), 11, 0],
    [median(rounds.map(({ perS, serverUs }) => (perS * serverUs) / 1e6)), 23, 2],
    [of('serverRssBytes') / 1_048_576, 5, 0],
  ];
  say(cells.map(([value, width, digits]) => Number(value).toFixed(digits).padStart(width)).join(''));
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

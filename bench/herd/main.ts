// Measures how agents come back after an outage: 10,000 in simulated time, and some hundred real ones at a real API.
import { parseArgs } from 'node:util';
import { createRandom } from '../../src/sandbox/random.ts';
import { playAgent, type Kind, type Return } from './agent.ts';
import { describeArrivals } from './arrivals.ts';
import { playReal } from './real.ts';

const { values } = parseArgs({
  options: {
    agents: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    /** How many real reporters; 0: none. */
    real: { type: 'string', default: '0' },
    'real-outage-s': { type: 'string', default: '45' },
  },
});
const agents = Number(values.agents);

/** The largest acceptable peak, in multiples of the mean. */
const AIM = 2;
const SPAN_S = 10;
const MINUTE_S = 60;
const HOUR_S = 3600;
const OUTAGES: [name: string, lastsS: number][] = [
  ['1 min', MINUTE_S],
  ['5 min', 5 * MINUTE_S],
  ['15 min', 15 * MINUTE_S],
  ['30 min', 30 * MINUTE_S],
  ['1 h', HOUR_S],
  ['2 h', 2 * HOUR_S],
  ['4 h', 4 * HOUR_S],
  ['8 h', 8 * HOUR_S],
  ['a week', 168 * HOUR_S],
];
const KINDS: [kind: Kind, name: string][] = [
  ['stays', 'a process that stays'],
  ['timer', 'a timer'],
];

const say = (text: string) => process.stdout.write(`${text}\n`);
const missed: string[] = [];

function row(name: string, returns: readonly Return[]): void {
  const arrivals = returns.map(({ afterS }) => afterS);
  const { fromS, toS, meanPerS, peakPerS, ratio } = describeArrivals(arrivals, SPAN_S);
  const lost = returns.reduce((sum, { made, stored }) => sum + made - stored, 0);
  if (lost > 0 || ratio > AIM) missed.push(name);
  const within = `${fromS.toFixed(0)}–${toS.toFixed(0)} s`;
  say(`| ${[name, within, meanPerS.toFixed(1), peakPerS.toFixed(1), ratio.toFixed(2), lost].join(' | ')} |`);
}

say(`${agents} agents, seed ${values.seed}; peak: the most within any ${SPAN_S} s`);
say('| agent, outage | nine tenths come after | mean/s | peak/s | peak ÷ mean | lost |');
say('| --- | --- | --- | --- | --- | --- |');
for (const [kind, kindName] of KINDS) {
  for (const [name, lastsS] of OUTAGES) {
    const random = createRandom(Number(values.seed));
    // All run the tool within its first minute: a policy that starts everywhere at nine o'clock.
    const outage = { lastsS, firstWithinS: MINUTE_S, nextEveryS: 4 * HOUR_S };
    const returns = Array.from({ length: agents }, () => playAgent(kind, outage, random));
    row(`${kindName}, ${name}`, returns);
  }
}

const real = Number(values.real);
if (real > 0) {
  const outageS = Number(values['real-outage-s']);
  const returns = await playReal(real, outageS);
  say(`${real} real reporters, the API away for ${outageS} s, in real time`);
  row(`real reporters, ${outageS} s`, returns);
}
const isMet = missed.length === 0;
say(isMet ? `nothing lost, and no peak above ${AIM} × the mean` : `MISSED: ${missed.join(', ')}`);
process.exitCode = isMet ? 0 : 1;

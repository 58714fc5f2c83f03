// Measures the cost of accepting a run result, compared with services that do less: one process, one core, every write fsynced.
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { CANDIDATES, OURS, PLAIN, type Candidate } from './candidates.ts';
import { startLoad } from './load-process.ts';
import { leaveFirstCore } from './machine.ts';
import { median, toAims, toTable, type Found } from './report.ts';
import { runRound, type Circumstances, type Measured } from './round.ts';
import { createFill } from './backlog.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    backlog: { type: 'string', default: '1000000' },
    /** Share of the usual number of run results per round. */
    share: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
  },
});
const rounds = Number(values.rounds);
const backlog = Number(values.backlog);

/** Share of the full load at which latencies are measured. */
const CALM_SHARE = 0.7;

const pinned = leaveFirstCore();
const environment = {
  DEVICE_GROUP_KEYS: randomBytes(64).toString('base64'),
  OPERATOR_TOKEN: randomBytes(32).toString('hex'),
};
const plainly: Circumstances = { environment, pinned, ratePerS: null, fill: null, share: Number(values.share) };

const load = startLoad();
const candidates = CANDIDATES.filter(({ name }) => values.only.split(',').some((part) => name.includes(part)));
const found: Found = { candidates: new Map(), calm: new Map(), full: [], backlog };
for (let round = 1; round <= rounds; round += 1) {
  for (const candidate of candidates) {
    const measured = await tryRound(candidate, plainly);
    found.candidates.set(candidate, [...(found.candidates.get(candidate) ?? []), measured]);
    tell(candidate.name, round, measured);
  }
}
for (let round = 1; round <= rounds; round += 1) {
  for (const candidate of [OURS, PLAIN]) {
    const atFull = found.candidates.get(candidate);
    if (!atFull) continue;
    const ratePerS = CALM_SHARE * median(atFull.map(({ perS }) => perS));
    const calm = await tryRound(candidate, { ...plainly, ratePerS });
    found.calm.set(candidate, [...(found.calm.get(candidate) ?? []), calm]);
    tell(`${candidate.name}, at ${CALM_SHARE * 100} % of its load`, round, calm);
  }
}
if (values.only === '') {
  const fill = createFill(backlog, environment);
  for (let round = 1; round <= Math.min(rounds, 3); round += 1) {
    const full = await tryRound(OURS, { ...plainly, fill });
    found.full.push(full);
    tell(`with ${backlog} waiting`, round, full);
  }
}
load.close();
say('');
toTable(found).forEach(say);
if (values.only === '') {
  say('');
  toAims(found).forEach(say);
}

/** If the machine's disk or processor stalls for seconds, Redis times out; such a round is reported and repeated. */
async function tryRound(candidate: Candidate, circumstances: Circumstances, triesLeft = 5): Promise<Measured> {
  try {
    return await runRound(candidate, circumstances, load);
  } catch (error) {
    if (triesLeft === 0) throw error;
    say(`repeated: ${candidate.name}: ${String(error)}`);
    return tryRound(candidate, circumstances, triesLeft - 1);
  }
}

function tell(name: string, round: number, { perS, p99Ms, serverUs, redisUs, foreign }: Measured): void {
  say(
    `${round}  ${name}: ${perS.toFixed(0)}/s, p99 ${p99Ms.toFixed(1)} ms, ${serverUs.toFixed(1)} + ${redisUs.toFixed(1)} µs; others ${(foreign * 100).toFixed(0)} % of a core`,
  );
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

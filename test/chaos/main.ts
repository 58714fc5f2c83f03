// `npm run chaos`: seeded runs that disturb real processes and ask whether every promise was kept.
import { Command, InvalidArgumentError, Option } from 'commander';
import { describeRun, describeViolations, isBad, summarise } from './report.ts';
import { runOnce, type RunReport } from './run.ts';

const MOST_DEFECTS = 5;
type Flags = {
  runs: number;
  seed: number;
  devices: number;
  tenants?: number;
  otherGraph?: true;
  embedded?: true;
  topology?: 'sentinel' | 'cluster';
};
/** Unless said otherwise, each fourth run has several tenants. */
const [SEVERAL, EVERY] = [3, 4];

const flags = new Command('chaos')
  .description(
    'Disturbs API, workers, Redis and Graph at random and checks that every accepted run result arrives once.',
  )
  .option('--runs <n>', 'how many runs, each with the next seed', wholeAbove0, 5)
  .option('--seed <n>', 'the first run’s seed', wholeAbove0, 1)
  .option('--devices <n>', 'devices per run', wholeAbove0, 40)
  .option(
    '--tenants <n>',
    `tenants per run; left out: 1, and ${SEVERAL} if the seed is a multiple of ${EVERY}`,
    wholeAbove0,
  )
  .option('--other-graph', 'against a Graph that shares nothing with the sandbox')
  .option('--embedded', 'on the Redis that the processes start themselves')
  .addOption(
    new Option('--topology <topology>', 'behind Sentinel, or on a Cluster, with REDIS_MIN_REPLICAS=1')
      .choices(['sentinel', 'cluster'])
      .conflicts('embedded'),
  )
  .parse()
  .opts<Flags>();

if (flags.otherGraph && (flags.tenants ?? 1) > 1) {
  process.stderr.write('chaos: the other Graph has one tenant\n');
  process.exit(64);
}

const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stopping.abort());

const isStopping = () => stopping.signal.aborted;
const startedAt = Date.now();
const reports: RunReport[] = [];
for (let seed = flags.seed; seed < flags.seed + flags.runs && !isStopping(); seed += 1) {
  try {
    const graph = flags.otherGraph ? 'other' : 'sandbox';
    const redis = flags.topology ?? (flags.embedded ? 'embedded' : 'apart');
    const { devices } = flags;
    const tenants = tenantsOf(seed);
    const report = await runOnce({ seed, devices, tenants, graph, redis, signal: stopping.signal });
    reports.push(report);
    print(describeRun(report));
    if (isBad(report)) print(describeViolations(report, replay(seed)));
    for (const defect of report.defects.slice(0, MOST_DEFECTS)) print(`  defect logged · ${defect}`);
  } catch (error) {
    if (isStopping()) break;
    // Nothing was judged: its surroundings were not to be had, or did not recover.
    print(`seed ${seed}: void · ${error instanceof Error ? error.message : String(error)}`);
  }
}
print(`\n${summarise(reports, (Date.now() - startedAt) / 1000)}`);
// Sockets that were reset in mid-connect keep Node alive although they are gone.
process.exit(reports.some(isBad) || reports.length < flags.runs ? 1 : 0);

function tenantsOf(seed: number): number {
  if (flags.tenants !== undefined || flags.otherGraph || flags.topology) return flags.tenants ?? 1;
  return seed % EVERY === 0 ? SEVERAL : 1;
}

function replay(seed: number): string {
  return `npm run chaos -- --runs 1 --seed ${seed} --devices ${flags.devices} --tenants ${tenantsOf(seed)}${flags.otherGraph ? ' --other-graph' : ''}${flags.embedded ? ' --embedded' : ''}${flags.topology ? ` --topology ${flags.topology}` : ''}`;
}

function wholeAbove0(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('must be a whole number above 0.');
  return Number(text);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

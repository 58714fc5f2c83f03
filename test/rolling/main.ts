// `npm run rolling`: seeded updates from an earlier commit to this one and back under load, and whether anybody noticed.
import { Command, InvalidArgumentError } from 'commander';
import { earlierVersion, findCommit, presentVersion } from '../support/versions.ts';
import { runOnce, type RollingReport } from './run.ts';

type Flags = { runs: number; seed: number; changes: number; perSecond: number; from: string };

const flags = new Command('rolling')
  .description(
    'Replaces processes by those of another version under load, and checks that nothing is refused, lost or doubled.',
  )
  .option('--runs <n>', 'how many runs, each with the next seed', wholeAbove0, 3)
  .option('--seed <n>', 'the first run’s seed', wholeAbove0, 1)
  .option('--changes <n>', 'changes of version in a run; every second one goes back', wholeAbove0, 4)
  .option('--per-second <n>', 'submissions per second', wholeAbove0, 30)
  .option('--from <commit>', 'the other version', 'HEAD~1')
  .parse()
  .opts<Flags>();

const commit = findCommit(flags.from);
if (commit === null) {
  process.stderr.write(`rolling: there is no commit ${flags.from} here\n`);
  process.exit(64);
}
const older = earlierVersion(commit);
process.on('exit', older.remove);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));
print(`from ${commit.slice(0, 10)} to this version\n`);
const reports: RollingReport[] = [];
for (let seed = flags.seed; seed < flags.seed + flags.runs; seed += 1) {
  const { changes, perSecond } = flags;
  const report = await runOnce({ seed, older: older.directory, newer: presentVersion, changes, perSecond });
  reports.push(report);
  print(describe(report));
  for (const violation of report.violations.slice(0, 20)) print(`  ! ${violation}`);
}
const sum = (of: (report: RollingReport) => number) => reports.reduce((all, one) => all + of(one), 0);
const bad = reports.filter(({ violations }) => violations.length > 0).length;
print(
  `\n${reports.length} runs, ${bad} violated: ${sum(({ replaced }) => replaced)} processes replaced, ${sum(({ requests }) => requests)} requests, ${sum(({ refusedFor503 }) => refusedFor503)} answered 503, ${sum(({ delivered }) => delivered)} delivered, ${sum(({ dead }) => dead)} dead, ${sum(({ superseded }) => superseded)} superseded`,
);
process.exit(bad > 0 ? 1 : 0);

function describe({ seed, violations, seconds, ...counts }: RollingReport): string {
  const parts = Object.entries(counts).map(([name, count]) => `${count} ${name}`);
  return `seed ${seed}: ${violations.length === 0 ? 'kept' : 'VIOLATED'} · ${parts.join(', ')} · ${seconds.toFixed(1)} s`;
}

function wholeAbove0(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('must be a whole number above 0.');
  return Number(text);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

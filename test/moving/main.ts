// `npm run moving`: seeded moves to another Redis under load, interrupted at random, and whether anything was lost or doubled.
import { Command, InvalidArgumentError, Option } from 'commander';
import { runOnce, type MovingReport } from './run.ts';
import { TARGETS, type TargetKind } from './service.ts';

type Flags = { runs: number; seed: number; to: TargetKind; perSecond: number; kills: number };

const flags = new Command('moving')
  .description(
    'Moves a tenant to another Redis under load, with the command and workers killed at random, and checks that nothing is lost or doubled.',
  )
  .option('--runs <n>', 'how many runs, each with the next seed', wholeAbove0, 3)
  .option('--seed <n>', 'the first run’s seed', wholeAbove0, 1)
  .addOption(new Option('--to <target>', 'what it is moved to').choices(TARGETS).default('single'))
  .option('--per-second <n>', 'submissions per second', wholeAbove0, 15)
  .option('--kills <n>', 'how often the command is killed in a run, at most', wholeAbove0, 3)
  .parse()
  .opts<Flags>();

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));
const { to, perSecond, kills } = flags;
const reports: MovingReport[] = [];
for (let seed = flags.seed; seed < flags.seed + flags.runs; seed += 1) {
  const report = await runOnce({ seed, to, perSecond, kills });
  reports.push(report);
  print(describe(report));
  for (const violation of report.violations.slice(0, 20)) print(`  ! ${violation.slice(0, 400)}`);
}
const sum = (of: (report: MovingReport) => number) => reports.reduce((all, one) => all + of(one), 0);
const bad = reports.filter(({ violations }) => violations.length > 0).length;
const longest = Math.max(...reports.map(({ refusedForS }) => refusedForS ?? 0));
print(
  `\n${reports.length} runs to a ${to}, ${bad} violated: ${sum(({ killed }) => killed)} times the command was killed, ${sum(({ cancelled }) => cancelled)} times the move was given up after that, ${sum(({ workersKilled }) => workersKilled)} times a worker, ${sum(({ requests }) => requests)} requests, ${sum(({ refusedFor503 }) => refusedFor503)} answered 503, ${sum(({ obligations }) => obligations)} obligations, ${sum(({ delivered }) => delivered)} delivered, ${sum(({ dead }) => dead)} dead, ${sum(({ superseded }) => superseded)} superseded; refused for ${longest} s at most`,
);
process.exit(bad > 0 ? 1 : 0);

function describe({ seed, to: target, violations, seconds, ...counts }: MovingReport): string {
  const parts = Object.entries(counts).map(([name, count]) => `${count} ${name}`);
  return `seed ${seed}, to a ${target}: ${violations.length === 0 ? 'kept' : 'VIOLATED'} · ${parts.join(', ')} · ${seconds.toFixed(1)} s`;
}

function wholeAbove0(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('must be a whole number above 0.');
  return Number(text);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

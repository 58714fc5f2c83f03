// `npm run agents`: seeded weeks in the life of a device's agent, and whether each of its promises was kept.
import { Command, InvalidArgumentError, Option } from 'commander';
import { createPwshAgent, createShAgent } from './agents.ts';
import { runOnce, type RunReport } from './run.ts';
import { openStage } from './stage.ts';

type Flags = { runs: number; seed: number; steps: number; shell: string; agent: 'sh' | 'pwsh' };

const flags = new Command('agents')
  .description('Kills agents, cuts them off and fills their disks, and checks that each result they kept arrives once.')
  .option('--runs <n>', 'how many runs, each with the next seed', wholeAbove0, 5)
  .option('--seed <n>', 'the first run’s seed', wholeAbove0, 1)
  .option('--steps <n>', 'steps of a run', wholeAbove0, 16)
  .option('--shell <command>', 'what runs the sh agent: dash, bash, busybox', 'dash')
  .addOption(new Option('--agent <kind>', 'which agent').choices(['sh', 'pwsh']).default('sh'))
  .parse()
  .opts<Flags>();

const agent =
  flags.agent === 'pwsh' ? createPwshAgent() : createShAgent(flags.shell === 'busybox' ? 'busybox sh' : flags.shell);
const startedAt = Date.now();
const reports: RunReport[] = [];
const stage = await openStage();
try {
  for (let seed = flags.seed; seed < flags.seed + flags.runs; seed += 1) {
    const report = await runOnce(stage, { agent, seed, steps: flags.steps });
    reports.push(report);
    print(describe(report));
    for (const violation of report.violations) print(`  ${violation}`);
  }
} finally {
  await stage.close();
}
const bad = reports.filter(({ violations }) => violations.length > 0).length;
const invocations = reports.reduce((sum, { counts }) => sum + counts.invocations, 0);
print(
  `\n${reports.length} runs, ${invocations} invocations, ${bad} runs with violations, ${Math.round((Date.now() - startedAt) / 1000)} s`,
);
process.exit(bad > 0 ? 1 : 0);

function describe({ seed, violations, counts, seconds }: RunReport): string {
  const parts = Object.entries(counts).map(([name, count]) => `${count} ${name}`);
  return `seed ${seed}: ${violations.length === 0 ? 'ok' : `${violations.length} violations`} · ${parts.join(', ')} · ${seconds.toFixed(1)} s`;
}

function wholeAbove0(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('must be a whole number above 0.');
  return Number(text);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

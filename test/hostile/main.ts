// `npm run hostile`: seeded hostile requests against a real API process; exit 0 where nothing was wrong.
import { Command, InvalidArgumentError } from 'commander';
import { runCampaign, type CampaignReport } from './campaign.ts';

type Flags = { cases: number; seed: number; only?: number; slow?: number; certificates?: boolean };

const CASES_PER_SLOW_ONE = 500;
const SHOWN = 30;

const flags = new Command('hostile')
  .description('Sends the API what no device would, and checks every answer, the memory and all that is stored.')
  .option('--cases <n>', 'how many cases', whole, 10_000)
  .option('--seed <n>', 'what they are drawn from', whole, 1)
  .option('--only <n>', 'the one case with this number')
  .option('--certificates', 'only requests signed with certificates')
  .option('--slow <n>', 'senders who take their time; one in 500 cases unless said otherwise', whole)
  .parse()
  .opts<Flags>();

const report = await runCampaign({
  cases: flags.cases,
  seed: flags.seed,
  certificatesOnly: flags.certificates === true,
  slow: flags.slow ?? Math.floor(flags.cases / CASES_PER_SLOW_ONE),
  ...(flags.only === undefined ? { hangUpEvery: 1 } : { only: whole(String(flags.only)) }),
  onBatch: ({ played, violations, rssMb }) => print(`${played} cases, ${violations} violations, ${rssMb} MB`),
});
for (const violation of report.violations.slice(0, SHOWN)) print(`  ${violation}`);
print(describe(report));
process.exit(report.violations.length > 0 ? 1 : 0);

function describe({
  played,
  seconds,
  violations,
  families,
  answers,
  records,
  slow,
  hungUp,
  warmRssMb,
  rssMb,
}: CampaignReport): string {
  const list = (tally: Record<string, number>) =>
    Object.entries(tally)
      .sort(([, a], [, b]) => b - a)
      .map(([what, times]) => `  ${String(times).padStart(7)}  ${what}`)
      .join('\n');
  return [
    `\n${played} cases in ${seconds.toFixed(0)} s (${(played / seconds).toFixed(0)} a second), seed ${flags.seed}: ${violations.length} violations`,
    `memory of the API: ${warmRssMb} MB after the first fifth, ${rssMb} MB in the end`,
    `records in Redis: ${records}, each checked; slow senders: ${slow}`,
    `hung up on at every byte: ${hungUp} times`,
    `answers:\n${list(answers)}`,
    `cases:\n${list(families)}`,
  ].join('\n');
}

function whole(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('must be a whole number.');
  return Number(text);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

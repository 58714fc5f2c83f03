// Registers the operator commands, which call a running bridge with the operator token.
import type { Command } from 'commander';
import { url, whole } from '../arguments.ts';
import { InvalidArgumentError, Option } from 'commander';
import { STATUSES } from '../../domain/delivery.ts';
import { REPLAY_RATE, type ReplayOperation } from '../../domain/replay/replay.ts';
import type { DeadLettersFlags, ReplayFlags } from './dead-letters/dead-letters.ts';
import type { DeliveriesFlags } from './deliveries.ts';
import { addDeviceCommands } from './devices/device-commands.ts';
import { asList, ofTheBridge } from './command-options.ts';
import { EXIT } from '../exit.ts';
import type { ExplainFlags } from './explain.ts';
import type { IndexFlags } from './index-deliveries.ts';
import type { ReplaysFlags } from './dead-letters/replays.ts';
import { withOperatorErrors } from './operator.ts';
import type { StatusFlags } from './status.ts';
import type { SummariesFlags } from './summaries.ts';
import type { ThrottleFlags } from './throttle.ts';

/** Adds the same, and the filters that select dead letters. */
const ofDeadLetters = (command: Command): Command =>
  command
    .option('--url <url>', 'where the bridge is', url, 'http://localhost:8080')
    .option('--tenant <id>', 'only this tenant, where the bridge serves several')
    .option('--code <code>', 'only those with this code, e.g. graph-404')
    .option('--configuration <guid>', 'only those of this hardware configuration')
    .option('--device <id>', 'only those of this device')
    .addHelpText('after', '\nThe operator token is taken from OPERATOR_TOKEN.');

const REPLAY_HELP: Record<ReplayOperation, string> = {
  pause: 'pause one: nothing is replayed until it is resumed',
  resume: 'let a paused one go on, at its rate',
  cancel: 'end one: what it has not replayed stays dead',
};

const { least, most } = REPLAY_RATE;

function toRate(text: string): number {
  const rate = Number(text);
  if (text.trim() !== '' && rate >= least && rate <= most) return rate;
  throw new InvalidArgumentError(`must be a number from ${least} to ${most}.`);
}

export function addOperatorCommands(program: Command): void {
  ofTheBridge(program.command('status'))
    .description('how the bridge is: what waits, what is held and why, and what to do about it')
    .option('--watch', 'live until Ctrl-C: redrawn each second on a terminal, else a line for each change')
    .option('--json', 'for scripts; with --watch an object a line')
    .addHelpText(
      'after',
      `
  Exit codes: ${EXIT.ok} deliveries flow (also after Ctrl-C) · ${EXIT.degraded} held or degraded: run results are still accepted · ${EXIT.later} failing or not reachable · ${EXIT.usage} wrong use · ${EXIT.refused} the token was refused · ${EXIT.unavailable} the address is not the bridge’s`,
    )
    .action(withOperatorErrors(async (flags: StatusFlags) => (await import('./status.ts')).showStatus(flags)));

  ofTheBridge(program.command('explain'))
    .description('one delivery in plain words: what happened, what it waits for, what comes next, what you can do')
    .argument('[delivery-id]', 'as the receipt tells it; or give --device and --run')
    .option('--device <id>', 'the device that submitted the run result')
    .option('--run <id>', 'its runId')
    .option('--json', 'the delivery and its explanation, for scripts')
    .addHelpText(
      'after',
      `
  Exit codes: ${EXIT.ok} explained · ${EXIT.usage} wrong use · ${EXIT.refused} no such delivery, or the token was refused · ${EXIT.later} not reachable · ${EXIT.unavailable} the address is not the bridge’s`,
    )
    .action(
      withOperatorErrors(async (deliveryId: string | undefined, flags: ExplainFlags) =>
        (await import('./explain.ts')).explainDelivery(deliveryId, flags),
      ),
    );

  ofDeadLetters(program.command('dead-letters'))
    .description('list what gave up and why, newest first')
    .option('--limit <n>', 'how many at most', whole(1, 1_000_000), 50)
    .option('--json', 'for scripts')
    .option('--purge', 'forget those that match for good; counts and asks first')
    .option('--all', 'with --purge: every dead letter')
    .option('--yes', 'do not ask')
    .action(
      withOperatorErrors(async (flags: DeadLettersFlags) =>
        (await import('./dead-letters/dead-letters.ts')).deadLetters(flags),
      ),
    );

  const replay = ofDeadLetters(program.command('replay'))
    .description('put dead letters back into the queue, counted first')
    .argument('[delivery-id]', 'one; or give a filter')
    .option('--all', 'every dead letter')
    .option('--rate <n>', 'this many a second, in the background; without it all at once', toRate)
    .option('--dry-run', 'only count')
    .option('--yes', 'do not ask')
    .action(
      withOperatorErrors(async (deliveryId: string | undefined, flags: ReplayFlags) =>
        (await import('./dead-letters/dead-letters.ts')).replay(deliveryId, flags),
      ),
    );

  ofTheBridge(replay.command('list'))
    .description('the latest replays at a rate, newest first')
    .option('--json', 'for scripts')
    .action(
      withOperatorErrors(async (_flags: object, command: Command) =>
        (await import('./dead-letters/replays.ts')).listReplays(command.optsWithGlobals<ReplaysFlags>()),
      ),
    );
  for (const [operation, description] of Object.entries(REPLAY_HELP)) {
    ofTheBridge(replay.command(operation))
      .description(description)
      .argument('<replay-id>', 'as replay list shows it')
      .action(
        withOperatorErrors(async (id: string, _flags: object, command: Command) =>
          (await import('./dead-letters/replays.ts')).changeReplay(
            id,
            operation,
            command.optsWithGlobals<ReplaysFlags>(),
          ),
        ),
      );
  }

  const deliveries = asList(program.command('deliveries'))
    .description('list deliveries by device or status, newest first')
    .option('--device <id>', 'only this device’s')
    .addOption(new Option('--status <status>', 'only those with this status').choices(STATUSES))
    .option('--configuration <guid>', 'of those only this hardwareConfigurationId')
    .option('--after <instant>', 'accepted at this instant or later, such as 2026-11-23T10:00:00Z')
    .option('--before <instant>', 'accepted earlier than this instant')
    .action(
      withOperatorErrors(async (flags: DeliveriesFlags) => (await import('./deliveries.ts')).listDeliveries(flags)),
    );

  deliveries
    .command('index')
    .description(
      'add what an earlier version stored to the index, beside live traffic; needs the service’s environment',
    )
    .option('--tenant <id>', 'only this tenant')
    .action(
      withOperatorErrors(async (flags: IndexFlags) => (await import('./index-deliveries.ts')).indexDeliveries(flags)),
    );

  ofTheBridge(program.command('summaries'))
    .description('what became of what was accepted, by day and hardware configuration, up to 400 days back')
    .option('--from <day>', 'the first day, in UTC, such as 2026-11-23; without it 30 days')
    .option('--to <day>', 'the last day; without it today')
    .option('--configuration <guid>', 'only this hardwareConfigurationId')
    .addOption(new Option('--format <format>', 'an export, as the bridge streams it').choices(['csv', 'ndjson']))
    .option('--json', 'for scripts')
    .action(withOperatorErrors(async (flags: SummariesFlags) => (await import('./summaries.ts')).listSummaries(flags)));

  const throttle = program.command('throttle').description('Graph’s “not before”, which stops every worker');

  ofTheBridge(throttle.command('end'))
    .description('end it, where Graph asked for an absurd time; shows it and asks first')
    .option('--yes', 'do not ask')
    .action(withOperatorErrors(async (flags: ThrottleFlags) => (await import('./throttle.ts')).endThrottle(flags)));

  addDeviceCommands(program);
}

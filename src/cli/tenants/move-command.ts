// Registers `move`.
import type { Command } from 'commander';
import { EXIT } from '../exit.ts';
import { withOperatorErrors } from '../operator/operator.ts';
import type { MoveFlags } from './move.ts';

export function addMoveCommand(program: Command): void {
  program
    .command('move')
    .description('take all data to another Redis, beside live traffic; can be interrupted, continued and cancelled')
    .option('--from <url>', 'the Redis that has the data; without it the environment’s')
    .option('--from-password-file <path>', 'its password; or the environment’s MOVE_FROM_PASSWORD')
    .option(
      '--to <url>',
      'the Redis that gets it: a server, any server of a Cluster, or redis+sentinel://host:port,…/name',
    )
    .option('--to-password-file <path>', 'its password; or the environment’s MOVE_TO_PASSWORD')
    .option('--tenant <id>', 'only this one')
    .option('--all', 'every tenant')
    .option('--prepare', 'only close the target, so that processes can be started there before')
    .option(
      '--cancel',
      'give up a move that is not done: the source goes on, and what was copied to --to is removed; without --to it stays there, closed',
    )
    .option('--finish', 'after a move: remove the data it left behind')
    .option('--yes', 'do not ask')
    .option('--json', 'for scripts')
    .addHelpText(
      'after',
      `
Run it with the environment of the processes: REDIS_PREFIX and ATTEMPT_TIMEOUT_MS count. docs/operations.md has the whole procedure.
Exit codes: ${EXIT.ok} moved, or moved before · ${EXIT.failed} the target is not fit · ${EXIT.usage} wrong use · ${EXIT.refused} a tenant is refused: the target has other data, or the source moves elsewhere · ${EXIT.later} interrupted, or a Redis does not answer: the same command goes on · ${EXIT.config} the configuration is not usable`,
    )
    .action(withOperatorErrors(async (flags: MoveFlags) => (await import('./move.ts')).move(flags)));
}

// The options that operators' commands share: the address of the bridge, and the form of a list.
import { Option, type Command } from 'commander';
import { url, whole } from '../arguments.ts';

/** Adds what a command needs to call a bridge: the option for its address, and the help on the token. */
export const ofTheBridge = (command: Command): Command =>
  command
    .option('--url <url>', 'where the bridge is', url, 'http://localhost:8080')
    .option('--tenant <id>', 'only this tenant, where the bridge serves several')
    .addHelpText('after', '\nThe operator token is taken from OPERATOR_TOKEN.');

/** Adds the same, and what a command that lists needs. */
export const asList = (command: Command): Command =>
  ofTheBridge(command)
    .option('--limit <n>', 'how many at most; without it 50, in an export all', whole(1, 1_000_000))
    .addOption(new Option('--format <format>', 'an export, as the bridge streams it').choices(['csv', 'ndjson']))
    .option('--json', 'for scripts');

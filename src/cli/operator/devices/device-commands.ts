// Registers `device` and its subcommands.
import { InvalidArgumentError, type Command } from 'commander';
import { whole } from '../../arguments.ts';
import { asList, ofTheBridge } from '../command-options.ts';
import { withOperatorErrors } from '../operator.ts';
import type { FailingFlags, ReportsFlags, SilentFlags } from './reports.ts';
import type { DeviceFlags } from './revocations.ts';

const MAX_SILENT_H = 9600;

const hours = (text: string): number => {
  if (/^\d{1,4}(\.\d{1,6})?$/.test(text) && Number(text) > 0 && Number(text) <= MAX_SILENT_H) return Number(text);
  throw new InvalidArgumentError(`must be a number of hours, more than 0 and at most ${MAX_SILENT_H}.`);
};

export function addDeviceCommands(program: Command): void {
  const device = program
    .command('device')
    .description('devices: what they reported last, which are silent or fail; revoke, restore and retire them');
  addReports(device);
  addRevocations(device);
}

function addReports(device: Command): void {
  const ofConfiguration = (command: Command) =>
    asList(command).option('--configuration <guid>', 'only what was reported for this hardwareConfigurationId');

  ofConfiguration(device.command('last'))
    .description('what each device reported last, newest first')
    .option('--device <id>', 'only this one, for each of its configurations')
    .action(withOperatorErrors(async (flags: ReportsFlags) => (await import('./reports.ts')).listLast(flags)));

  ofConfiguration(device.command('silent'))
    .description('those that reported before, but have been silent; given a list, also those that never reported')
    .option('--for <hours>', 'for at least this long', hours, 24)
    .option('--expected <file>', 'device ids, one a line or first in a CSV; - reads stdin')
    .action(
      withOperatorErrors(async (flags: SilentFlags) => {
        if (flags.expected === undefined) return (await import('./reports.ts')).listSilent(flags);
        return (await import('./expected.ts')).findMissing(flags.expected, flags);
      }),
    );

  ofConfiguration(device.command('failing'))
    .description('those whose last run results failed, most failures in a row first')
    .option('--runs <n>', 'at least this many in a row', whole(2, 999_999), 3)
    .action(withOperatorErrors(async (flags: FailingFlags) => (await import('./reports.ts')).listFailing(flags)));
}

function addRevocations(device: Command): void {
  ofTheBridge(device.command('list'))
    .description('list those that are revoked, newest first')
    .option('--json', 'for scripts')
    .action(withOperatorErrors(async (flags: DeviceFlags) => (await import('./revocations.ts')).listRevoked(flags)));

  ofTheBridge(device.command('revoke'))
    .description('revoke one; every API process knows within seconds')
    .argument('<device-id>')
    .action(
      withOperatorErrors(async (deviceId: string, flags: DeviceFlags) =>
        (await import('./revocations.ts')).revoke(deviceId, flags),
      ),
    );

  ofTheBridge(device.command('restore'))
    .description('take it back')
    .argument('<device-id>')
    .action(
      withOperatorErrors(async (deviceId: string, flags: DeviceFlags) =>
        (await import('./revocations.ts')).restore(deviceId, flags),
      ),
    );

  ofTheBridge(device.command('retire'))
    .description('forget what one reported: it is no longer listed, as silent or otherwise')
    .argument('<device-id>')
    .action(
      withOperatorErrors(async (deviceId: string, flags: DeviceFlags) =>
        (await import('./revocations.ts')).retire(deviceId, flags),
      ),
    );

  ofTheBridge(device.command('forget'))
    .description('forget what the device directory said about one, and ask it again now')
    .argument('<device-id>')
    .action(
      withOperatorErrors(async (deviceId: string, flags: DeviceFlags) =>
        (await import('./revocations.ts')).forget(deviceId, flags),
      ),
    );
}

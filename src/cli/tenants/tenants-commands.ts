// Registers `tenants`: list, check and change a tenants file.
import { Option, type Command } from 'commander';
import { guid, whole } from '../arguments.ts';
import { EXIT } from '../exit.ts';
import { withOperatorErrors } from '../operator/operator.ts';
import type { AddFlags, RemoveFlags } from './change.ts';
import type { CheckFlags, ListFlags } from './check.ts';

const FILE = 'YAML or JSON; without it TENANTS_FILE';

export function addTenantsCommands(program: Command): void {
  const tenants = program.command('tenants').description('the tenants file: list it, check it, change it');

  tenants
    .command('list')
    .description('who is in it')
    .argument('[file]', FILE)
    .option('--json', 'for scripts')
    .action(
      withOperatorErrors(async (file: string | undefined, flags: ListFlags) =>
        (await import('./check.ts')).listTenants(file, flags),
      ),
    );

  tenants
    .command('check')
    .description('every fault of it, by its path in the file')
    .argument('[file]', FILE)
    .option('--online', 'also: does each credential get a token, with the permissions that are needed?')
    .option('--json', 'for scripts')
    .addHelpText(
      'after',
      `
Exit codes: ${EXIT.ok} no faults · ${EXIT.config} faults · with --online: ${EXIT.failed} a credential failed, ${EXIT.degraded} a warning`,
    )
    .action(
      withOperatorErrors(async (file: string | undefined, flags: CheckFlags) =>
        (await import('./check.ts')).checkTenants(file, flags),
      ),
    );

  tenants
    .command('add')
    .description('add one to the file; comments stay, and a file that would have faults is left as it was')
    .argument('<id>', '1 to 40 of a–z 0–9 -, for ever')
    .requiredOption('--azure-tenant <guid>', 'the customer’s Entra tenant', guid)
    .option('--client-id <guid>', 'the app registration', guid)
    .option('--client-secret-file <path>', 'a file that holds the secret alone')
    .option('--client-certificate-file <path>', 'PEM with certificate and private key')
    .option('--federated-token-file <path>', 'a token of workload identity federation')
    .option('--managed-identity', 'the machine’s own identity')
    .option('--group-key-file <path...>', 'files of base64 group keys')
    .option('--ca-file <path>', 'PEM of the authorities that issue device certificates')
    .option('--id-from-cert <rule>', 'as DEVICE_ID_FROM_CERT')
    .option('--directory', 'the Entra device directory vouches for devices')
    .option('--writes-per-20s <n>', 'the starting throttle budget', whole(1, 1_000_000))
    .option('--paused', 'accept run results, and create nothing yet')
    .option('--file <path>', FILE)
    .action(
      withOperatorErrors(async (id: string, flags: AddFlags) => (await import('./change.ts')).addTenant(id, flags)),
    );

  tenants
    .command('remove')
    .description('take one out of the file: its work stops, its data is kept')
    .argument('<id>')
    .addOption(new Option('--purge', 'and forget all that Redis holds of it, for good; asks first'))
    .option('--yes', 'do not ask')
    .option('--file <path>', FILE)
    .action(
      withOperatorErrors(async (id: string, flags: RemoveFlags) =>
        (await import('./change.ts')).removeTenant(id, flags),
      ),
    );
}

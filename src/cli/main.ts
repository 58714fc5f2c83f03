// The `runstate-bridge` command. Each subcommand is loaded when it is called, which keeps start-up fast.
import { Command, Option } from 'commander';
import { guid, port, url, whole } from './arguments.ts';
import type { BenchFlags } from './simulate/bench.ts';
import type { DemoFlags } from './demo/demo.ts';
import type { DoctorFlags } from './doctor/doctor.ts';
import { describeProfiles, PROFILE_NAMES } from '../sandbox/profiles/named.ts';
import { EXIT } from './exit.ts';
import { withOperatorErrors } from './operator/operator.ts';
import { printError, print, watchOutput } from './out.ts';
import { addOperatorCommands } from './operator/operator-commands.ts';
import { addMoveCommand } from './tenants/move-command.ts';
import { addTenantsCommands } from './tenants/tenants-commands.ts';
import type { ReportFlags } from './report.ts';
import type { SandboxFlags } from './sandbox.ts';
import type { SimulateFlags } from './simulate/simulate.ts';

watchOutput();

const lines = (text: string) => text.replace(/\n$/, '').split('\n');

const program = new Command('runstate-bridge')
  .configureOutput({ writeOut: (text) => print(...lines(text)), writeErr: (text) => printError(...lines(text)) })
  .description('Takes hardware configuration run results from devices and creates them in Microsoft Graph, once each.')
  .showHelpAfterError()
  .exitOverride((error) => process.exit(error.exitCode === 0 ? EXIT.ok : EXIT.usage));

program
  .command('demo')
  .description('the whole service against a sandbox of Graph, with a small fleet; nothing leaves this machine')
  .option('--devices <n>', 'how many devices report', whole(1, 100_000), 200)
  .option(
    '--tenants <n>',
    'this many tenants at one bridge instead: one flows, one is held, one is throttled',
    whole(1, 9),
  )
  .option('--once', 'stop when all is delivered; exit 0 if each was, once, else 1')
  .option('--seed <n>', 'the same seed, the same fleet and the same faults', whole(0, 2 ** 31), 1)
  .option('--time-scale <n>', 'how much faster than Graph the sandbox’s throttling runs', whole(1, 1000), 4)
  .action(async (flags: DemoFlags) => (await import('./demo/demo.ts')).runDemo(flags));

program
  .command('sandbox')
  .description('a Graph and a token endpoint to try things on: they behave, misbehave and remember')
  .option('--host <address>', 'where both listeners listen', '127.0.0.1')
  .option('--port <n>', 'HTTPS: Graph and tokens', port, 9443)
  .option('--control-port <n>', 'HTTP: what it remembers, and scripted faults', port, 9080)
  .option('--host-name <name>', 'a name its certificate is valid for, beside localhost')
  .option('--tls-directory <path>', 'where its certificate authority (ca.pem) is kept')
  .option('--writes-per-20s <n>', 'its throttle limit', whole(1, 1_000_000), 100)
  .addOption(new Option('--filter <support>', 'whether it takes $filter').choices(['yes', '400', '501']).default('yes'))
  .addOption(new Option('--profile <name>', 'in which way this tenant differs').choices(PROFILE_NAMES))
  .addHelpText('after', `\nProfiles:\n${describeProfiles()}`)
  .action(async (flags: SandboxFlags) => (await import('./sandbox.ts')).runSandbox(flags));

program
  .command('device-key')
  .description('print the key to install on a device, derived from the first of DEVICE_GROUP_KEYS')
  .argument('<device-id>')
  .action(async (deviceId: string) => (await import('./device-key.ts')).printDeviceKey(deviceId));

program
  .command('report')
  .description('sign and submit one run result, as a device does')
  .argument('[file]', 'a run result as JSON, - for standard input; options add to it or replace parts of it')
  .requiredOption('--url <url>', 'where the bridge is, e.g. http://localhost:8080', url)
  .option('--device-id <id>', 'which device reports')
  .option('--tenant <id>', 'the device’s tenant, where the bridge serves several')
  .option('--key-file <path>', 'the device’s key (base64); without it the environment’s DEVICE_KEY')
  .option('--certificate <path>', 'instead of a key: the device’s certificate in PEM, its chain behind it')
  .option('--private-key <path>', 'the certificate’s private key in PEM')
  .option('--run-id <id>', 'without it a new one')
  .option('--configuration <guid>', 'hardwareConfigurationId')
  .option('--device-name <name>')
  .option('--os-version <version>')
  .option('--upn <upn>')
  .option('--policy-version <n>', '', whole(0, 2_147_483_647))
  .option('--completed-at <instant>', 'RFC 3339 with offset; without it now')
  .option('--state <state>', 'unknown, success, fail, scriptError, pending or notApplicable')
  .option('--exit-code <n>', 'signed, or unsigned as Windows writes an HRESULT', whole(-2_147_483_648, 4_294_967_295))
  .option('--output <text>')
  .option('--error <text>')
  .option(
    '--retry-for <seconds>',
    'how long to try while the bridge is not reachable or says later',
    whole(0, 86_400),
    0,
  )
  .option('--spool <directory>', 'keep the result there until it is stored, and send what is kept, as the agent does')
  .option('--wait <seconds>', 'how long to wait for the delivery to end', whole(0, 86_400), 0)
  .addHelpText(
    'after',
    `
Exit codes: ${EXIT.ok} accepted, or known already (with --wait: delivered) · ${EXIT.usage} wrong use · ${EXIT.refused} refused · ${EXIT.unavailable} the address is not the bridge’s · ${EXIT.later} not now: send it again later · ${EXIT.undelivered} accepted, but not delivered in time, or dead
With --spool: ${EXIT.later} kept, to be sent later · ${EXIT.refused} a result was refused for good, see its directory refused · ${EXIT.spool} the spool cannot be written`,
  )
  .action(async (file: string | undefined, flags: ReportFlags) => (await import('./report.ts')).report(file, flags));

program
  .command('doctor')
  .description('can this environment deliver? Checks what the API and the workers would be given, and changes nothing')
  .addOption(
    new Option('--for <process>', 'what this environment is for').choices(['api', 'worker', 'both']).default('both'),
  )
  .option('--configuration <guid>', 'also: does this hardware configuration exist?', guid)
  .option(
    '--write-probe <guid>',
    'also: create one marked record under this configuration, and delete it; asks first',
    guid,
  )
  .option('--alert-test', 'also: send a test to the operators’ webhook (ALERT_WEBHOOK_URL)')
  .option('--yes', 'do not ask')
  .option('--json', 'for scripts')
  .addHelpText(
    'after',
    `
It reads the same environment variables as the processes, and shows none of their values.
Exit codes: ${EXIT.ok} all is well · ${EXIT.degraded} with warnings · ${EXIT.failed} a check failed · ${EXIT.config} the configuration is not usable · ${EXIT.usage} wrong use`,
  )
  .action(withOperatorErrors(async (flags: DoctorFlags) => (await import('./doctor/doctor.ts')).runDoctor(flags)));

program
  .command('simulate')
  .description('a fleet of simulated devices that report to a running bridge at a steady pace: for load and for drills')
  .requiredOption('--url <url>', 'where the bridge is, e.g. http://localhost:8080', url)
  .option('--devices <n>', 'how many devices report, in turn', whole(1, 1_000_000), 100)
  .option('--rate <n>', 'submissions a second, regardless of the answers', whole(1, 100_000), 10)
  .addOption(new Option('--seconds <n>', 'how long').argParser(whole(1, 604_800)).conflicts('runs'))
  .option(
    '--runs <n>',
    'how many submissions; default, unless --seconds is given: one per device',
    whole(1, 100_000_000),
  )
  .option('--again <percent>', 'share of submissions sent a second time; they must not count twice', whole(0, 100), 0)
  .option('--configuration <guid...>', 'hardware configurations to report for; without it those of the sandbox')
  .option(
    '--seed <n>',
    'the same seed gives the same run results: the second time, all are duplicates',
    whole(0, 2 ** 31),
  )
  .option('--json', 'for scripts')
  .addHelpText(
    'after',
    `
Device keys are derived from the first of DEVICE_GROUP_KEYS. A submission is sent once: what is refused is counted, not retried.
Exit codes: ${EXIT.ok} all accepted or known · ${EXIT.refused} some refused for good · ${EXIT.unavailable} the address is not the bridge’s · ${EXIT.later} some refused for now or not answered · ${EXIT.usage} wrong use`,
  )
  .action(withOperatorErrors(async (flags: SimulateFlags) => (await import('./simulate/simulate.ts')).simulate(flags)));

program
  .command('bench')
  .description('measures how many run results a second a running bridge accepts, over a number of connections')
  .requiredOption('--url <url>', 'where the bridge is, e.g. http://localhost:8080', url)
  .option('--seconds <n>', 'how long to measure', whole(1, 3600), 10)
  .option('--warm-up <seconds>', 'how long to submit before that, unmeasured', whole(0, 600), 2)
  .option('--connections <n>', 'submissions in progress at once', whole(1, 1000), 32)
  .option('--size <bytes>', 'the length of each output; without it as devices report', whole(0, 16_000_000))
  .option('--devices <n>', 'how many devices report, in turn', whole(1, 1_000_000), 10_000)
  .option('--configuration <guid...>', 'hardware configurations to report for; without it those of the sandbox')
  .option('--yes', 'do not ask')
  .option('--json', 'for scripts')
  .addHelpText(
    'after',
    `
What is accepted is created in Graph; it asks first. Device keys are derived from the first of DEVICE_GROUP_KEYS.
Exit codes: ${EXIT.ok} all accepted · ${EXIT.refused} some refused for good · ${EXIT.unavailable} the address is not the bridge’s · ${EXIT.later} some refused for now or not answered · ${EXIT.usage} wrong use, or not confirmed`,
  )
  .action(withOperatorErrors(async (flags: BenchFlags) => (await import('./simulate/bench.ts')).bench(flags)));

addOperatorCommands(program);
addTenantsCommands(program);
addMoveCommand(program);

await program.parseAsync().catch((error: unknown) => {
  printError(...lines(error instanceof Error ? (error.stack ?? error.message) : 'it failed'));
  process.exitCode = EXIT.defect;
});

// The operator's hand: `runstate-bridge <command>`. Each command is loaded when it is called, so that small ones are quick.
import { Command, InvalidArgumentError, Option } from 'commander';
import type { DeadLettersFlags, ReplayFlags } from './dead-letters.ts';
import type { DemoFlags } from './demo.ts';
import type { DeviceFlags } from './device.ts';
import type { DoctorFlags } from './doctor.ts';
import { EXIT } from './exit.ts';
import type { ExplainFlags } from './explain.ts';
import { complaining } from './operator.ts';
import type { ReportFlags } from './report.ts';
import type { SandboxFlags } from './sandbox.ts';
import type { SimulateFlags } from './simulate.ts';
import type { StatusFlags } from './status.ts';

const whole = (min: number, max: number) => (text: string) => {
  const number = Number(text);
  if (!/^-?\d+$/.test(text) || number < min || number > max) {
    throw new InvalidArgumentError(`must be a whole number from ${min} to ${max}.`);
  }
  return number;
};
const port = whole(0, 65_535);
const url = (text: string) => {
  if (!URL.canParse(text) || !/^https?:/.test(text)) throw new InvalidArgumentError('must be an http or https URL.');
  return text;
};
const guid = (text: string) => {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) throw new InvalidArgumentError('must be a GUID.');
  return text;
};

const program = new Command('runstate-bridge')
  .description('Takes hardware configuration run results from devices and creates them in Microsoft Graph, once each.')
  .showHelpAfterError()
  .exitOverride((error) => process.exit(error.exitCode === 0 ? EXIT.ok : EXIT.usage));

program
  .command('demo')
  .description('the whole service against a sandbox of Graph, with a small fleet; nothing leaves this machine')
  .option('--devices <n>', 'how many devices report', whole(1, 100_000), 200)
  .option('--once', 'stop when all is delivered; exit 0 if each was, once, else 1')
  .option('--seed <n>', 'the same seed, the same fleet and the same faults', whole(0, 2 ** 31), 1)
  .option('--time-scale <n>', 'how much faster than Graph the sandbox’s throttling runs', whole(1, 1000), 4)
  .action(async (flags: DemoFlags) => (await import('./demo.ts')).runDemo(flags));

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
  .option('--key-file <path>', 'the device’s key (base64); without it the environment’s DEVICE_KEY')
  .option('--run-id <id>', 'without it a new one')
  .option('--configuration <guid>', 'hardwareConfigurationId')
  .option('--device-name <name>')
  .option('--os-version <version>')
  .option('--upn <upn>')
  .option('--policy-version <n>', '', whole(0, 2_147_483_647))
  .option('--completed-at <instant>', 'RFC 3339 with offset; without it now')
  .option('--state <state>', 'unknown, success, fail, scriptError, pending or notApplicable')
  .option('--exit-code <n>', '', whole(-2_147_483_648, 2_147_483_647))
  .option('--output <text>')
  .option('--error <text>')
  .option(
    '--retry-for <seconds>',
    'how long to try while the bridge is not reachable or says later',
    whole(0, 86_400),
    0,
  )
  .option('--wait <seconds>', 'how long to wait for the delivery to end', whole(0, 86_400), 0)
  .addHelpText(
    'after',
    `
Exit codes: ${EXIT.ok} accepted, or known already (with --wait: delivered) · ${EXIT.usage} wrong use · ${EXIT.refused} refused · ${EXIT.later} not now: send it again later · ${EXIT.undelivered} accepted, but not delivered in time, or dead`,
  )
  .action(async (file: string | undefined, flags: ReportFlags) => (await import('./report.ts')).report(file, flags));

const ofTheBridge = (command: Command): Command =>
  command
    .option('--url <url>', 'where the bridge is', url, 'http://localhost:8080')
    .addHelpText('after', '\nThe operator token is taken from OPERATOR_TOKEN.');

ofTheBridge(program.command('status'))
  .description('how the bridge is: what waits, what is held and why, and what to do about it')
  .option('--watch', 'live until Ctrl-C: redrawn each second on a terminal, else a line for each change')
  .option('--json', 'for scripts; with --watch an object a line')
  .addHelpText(
    'after',
    `
Exit codes: ${EXIT.ok} deliveries flow (also after Ctrl-C) · ${EXIT.degraded} held or degraded: run results are still accepted · ${EXIT.later} failing or not reachable · ${EXIT.usage} wrong use · ${EXIT.refused} the token was refused`,
  )
  .action(complaining(async (flags: StatusFlags) => (await import('./status.ts')).showStatus(flags)));

ofTheBridge(program.command('explain'))
  .description('one delivery in plain words: what happened, what it waits for, what comes next, what you can do')
  .argument('[delivery-id]', 'as the receipt tells it; or give --device and --run')
  .option('--device <id>', 'the device that submitted the run result')
  .option('--run <id>', 'its runId')
  .option('--json', 'the delivery and its explanation, for scripts')
  .addHelpText(
    'after',
    `
Exit codes: ${EXIT.ok} explained · ${EXIT.usage} wrong use · ${EXIT.refused} no such delivery, or the token was refused · ${EXIT.later} not reachable`,
  )
  .action(
    complaining(async (deliveryId: string | undefined, flags: ExplainFlags) =>
      (await import('./explain.ts')).explainDelivery(deliveryId, flags),
    ),
  );

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
  .option('--yes', 'do not ask')
  .option('--json', 'for scripts')
  .addHelpText(
    'after',
    `
It reads the same environment variables as the processes, and shows none of their values.
Exit codes: ${EXIT.ok} all is well · ${EXIT.degraded} with warnings · ${EXIT.failed} a check failed · ${EXIT.config} the configuration is not usable · ${EXIT.usage} wrong use`,
  )
  .action(complaining(async (flags: DoctorFlags) => (await import('./doctor.ts')).runDoctor(flags)));

program
  .command('simulate')
  .description('a fleet of simulated devices that report to a running bridge at a steady pace: for load and for drills')
  .requiredOption('--url <url>', 'where the bridge is, e.g. http://localhost:8080', url)
  .option('--devices <n>', 'how many devices report, in turn', whole(1, 1_000_000), 100)
  .option('--rate <n>', 'submissions a second, whatever the answers', whole(1, 100_000), 10)
  .addOption(new Option('--seconds <n>', 'how long').argParser(whole(1, 604_800)).conflicts('runs'))
  .option('--runs <n>', 'how many submissions; without it and --seconds one of each device', whole(1, 100_000_000))
  .option('--again <percent>', 'so many of them a second time, which must not count twice', whole(0, 100), 0)
  .option('--configuration <guid...>', 'hardware configurations to report for; without it those of the sandbox')
  .option('--seed <n>', 'the same seed, the same run results: a second time all are known', whole(0, 2 ** 31))
  .option('--json', 'for scripts')
  .addHelpText(
    'after',
    `
Device keys are derived from the first of DEVICE_GROUP_KEYS. A submission is sent once: what is refused is counted, not retried.
Exit codes: ${EXIT.ok} all accepted or known · ${EXIT.refused} some refused for good · ${EXIT.later} some refused for now or not answered · ${EXIT.usage} wrong use`,
  )
  .action(complaining(async (flags: SimulateFlags) => (await import('./simulate.ts')).simulate(flags)));

const operators = (command: Command): Command =>
  command
    .option('--url <url>', 'where the bridge is', url, 'http://localhost:8080')
    .option('--code <code>', 'only those with this code, e.g. graph-404')
    .option('--configuration <guid>', 'only those of this hardware configuration')
    .option('--device <id>', 'only those of this device')
    .addHelpText('after', '\nThe operator token is taken from OPERATOR_TOKEN.');

operators(program.command('dead-letters'))
  .description('list what gave up and why, newest first')
  .option('--limit <n>', 'how many at most', whole(1, 1_000_000), 50)
  .option('--json', 'for scripts')
  .option('--purge', 'forget those that match for good; counts and asks first')
  .option('--all', 'with --purge: every dead letter')
  .option('--yes', 'do not ask')
  .action(complaining(async (flags: DeadLettersFlags) => (await import('./dead-letters.ts')).deadLetters(flags)));

operators(program.command('replay'))
  .description('put dead letters back into the queue, counted first')
  .argument('[delivery-id]', 'one; or give a filter')
  .option('--all', 'every dead letter')
  .option('--dry-run', 'only count')
  .option('--yes', 'do not ask')
  .action(
    complaining(async (deliveryId: string | undefined, flags: ReplayFlags) =>
      (await import('./dead-letters.ts')).replay(deliveryId, flags),
    ),
  );

const device = program
  .command('device')
  .description('devices that are revoked: whatever they prove, they are not known');

ofTheBridge(device.command('list'))
  .description('list those that are, newest first')
  .option('--json', 'for scripts')
  .action(complaining(async (flags: DeviceFlags) => (await import('./device.ts')).listRevoked(flags)));

ofTheBridge(device.command('revoke'))
  .description('revoke one; every API process knows within seconds')
  .argument('<device-id>')
  .action(
    complaining(async (deviceId: string, flags: DeviceFlags) => (await import('./device.ts')).revoke(deviceId, flags)),
  );

ofTheBridge(device.command('restore'))
  .description('take it back')
  .argument('<device-id>')
  .action(
    complaining(async (deviceId: string, flags: DeviceFlags) => (await import('./device.ts')).restore(deviceId, flags)),
  );

await program.parseAsync();

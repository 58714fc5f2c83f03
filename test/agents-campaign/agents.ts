// The agents that the campaign knows, and how each is called.
import { existsSync } from 'node:fs';

export type AgentKind = 'sh' | 'pwsh';
/** Options by the names of the sh agent, without dashes; true for one without a value. */
export type Options = Record<string, string | true>;
export type Command = { program: string; args: string[] };

/** `command` is what `run` runs. */
export type Call = { action: 'run' | 'add' | 'send'; options: Options; command: string[] };
export type CampaignAgent = {
  kind: AgentKind;
  toCommand: (call: Call) => Command;
  /** How often longer it takes than the sh agent: as much later it is killed. */
  slowness: number;
  /** Whether its files are closed to others one by one, or by their directory alone. */
  closesFiles: boolean;
  /** Files of the spool that stay. */
  stays: readonly string[];
};

const SH = 'src/agent/report-run.sh';
const PWSH = 'src/agent/report-run.ps1';
const PWSH_WITH_CLOCK = 'test/agents-campaign/with-clock.ps1';

/** @param shell program and arguments, such as `busybox sh` */
export function createShAgent(shell: string): CampaignAgent {
  const [program = 'sh', ...own] = shell.split(' ');
  return {
    kind: 'sh',
    slowness: 1,
    closesFiles: true,
    stays: [],
    toCommand: ({ action, options, command }) => ({
      program,
      args: [
        ...own,
        SH,
        action,
        ...Object.entries(options).flatMap(([name, value]) => (value === true ? [`--${name}`] : [`--${name}`, value])),
        ...(command.length > 0 ? ['--', ...command] : []),
      ],
    }),
  };
}

/** The same names in PowerShell's style: `policy-version` is `-PolicyVersion`. */
export function createPwshAgent(): CampaignAgent {
  if (!existsSync(PWSH)) throw new Error(`${PWSH} is not there`);
  const styled = (name: string) =>
    `-${name.replaceAll(/(?:^|-)([a-z])/g, (_match, letter: string) => letter.toUpperCase())}`;
  return {
    kind: 'pwsh',
    slowness: 2.5,
    closesFiles: false,
    stays: ['lock'],
    toCommand: ({ action, options, command }) => ({
      program: 'pwsh',
      args: [
        ...['-NoProfile', '-NonInteractive', '-File', PWSH_WITH_CLOCK, '-Action', styled(action).slice(1)],
        ...Object.entries(options).flatMap(([name, value]) =>
          value === true ? [styled(name)] : [styled(name), value],
        ),
        ...(command.length > 0 ? ['--', ...command] : []),
      ],
    }),
  };
}

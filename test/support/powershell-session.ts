// Runs the PowerShell agent many times in one process: to start PowerShell takes a second.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export const POWERSHELL = ['pwsh', '-NoProfile', '-NonInteractive', '-File'];

/** Short-lived processes: profiling costs them more than it gives, and a larger nursery saves most collections. */
export const POWERSHELL_ENVIRONMENT = { ...process.env, DOTNET_TieredPGO: '0', DOTNET_GCgen0size: '4000000' };

export type Said = { code: number; said: string };

export type PowerShellSession = {
  /** @param clockAheadS the device's clock, against the real one */
  run: (args: string[], clockAheadS?: number) => Promise<Said>;
  close: () => Promise<void>;
};

export function openPowerShellSession(agent: string): PowerShellSession {
  const [program = '', ...own] = POWERSHELL;
  const child = spawn(program, [...own, 'test/agent/powershell/session.ps1', '-Agent', agent], {
    env: POWERSHELL_ENVIRONMENT,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ended = once(child, 'close');
  return {
    run: async (args, clockAheadS = 0) => {
      child.stdin.write(`${[clockAheadS, ...args].join('\t')}\n`);
      const { done, value } = await lines.next();
      if (done) throw new Error('PowerShell has ended');
      return JSON.parse(value) as Said;
    },
    close: async () => {
      child.stdin.end();
      await ended;
    },
  };
}

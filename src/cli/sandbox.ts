// `sandbox`: runs the sandbox in the foreground.
import { once } from 'node:events';
import { resolve } from 'node:path';
import type { ProfileName } from '../sandbox/profiles/named.ts';
import { createSandbox } from '../sandbox/sandbox.ts';
import { print } from './out.ts';
import { createStopController } from './stop-controller.ts';

export type SandboxFlags = {
  host: string;
  port: number;
  controlPort: number;
  hostName?: string;
  tlsDirectory?: string;
  writesPer20s: number;
  filter: 'yes' | '400' | '501';
  profile?: ProfileName;
};

export async function runSandbox(flags: SandboxFlags): Promise<void> {
  const stopping = createStopController();
  const stopped = once(stopping.signal, 'abort');
  const sandbox = await createSandbox({
    host: flags.host,
    controlHost: flags.host,
    port: flags.port,
    controlPort: flags.controlPort,
    limiter: { writesPer20s: flags.writesPer20s },
    filterSupport: flags.filter,
    profile: flags.profile ?? null,
    ...(flags.hostName !== undefined && { hostNames: [flags.hostName] }),
    ...(flags.tlsDirectory !== undefined && { tlsDirectory: resolve(flags.tlsDirectory) }),
  });
  print('A sandbox of Microsoft Graph is up. Point a worker at it with this environment:');
  print();
  for (const [name, value] of Object.entries(sandbox.environment())) print(`${name}=${value}`);
  print();
  print(
    'It plays the device directory too, where devices join, and a fleet’s certificate authority. To accept their certificates:',
  );
  print();
  for (const [name, value] of Object.entries(sandbox.deviceEnvironment())) print(`${name}=${value}`);
  print();
  print(`Hardware configurations it knows: ${sandbox.configurationIds.join(' ')}`);
  if (flags.profile !== undefined) print(`Its profile: ${flags.profile}`);
  print(`What it remembers, and how to make it misbehave: ${sandbox.controlUrl}`);
  await stopped;
  await sandbox.close();
}

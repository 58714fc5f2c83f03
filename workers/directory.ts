// Answers the questions about devices: reads the Entra device directory through Graph, with a credential of its own or the worker's.
import type { DirectoryConfig } from '../src/config/directory.ts';
import { createDeviceClient } from '../src/graph/devices.ts';
import { createTokenSource } from '../src/graph/credential/token.ts';
import type { RequestEnded } from '../src/graph/request-ended.ts';
import type { Parts } from '../src/process/parts.ts';
import { openDirectory, type Directory, type StartReader } from '../src/queue/directory/directory.ts';
import type { Tenant } from '../src/queue/tenant.ts';

type Options = Omit<StartReader, 'find'> & { requestEnded: RequestEnded; parts: Parts };

export function openDirectoryReader(
  config: DirectoryConfig,
  tenant: Pick<Tenant, 'redis' | 'keys' | 'clock' | 'wakeReader'>,
  { requestEnded, parts, events, random }: Options,
): { directory: Directory; wake: () => void } {
  const directory = openDirectory(tenant, config, events.redisTrouble);
  parts.opened('device directory', directory.close);
  const tokens = createTokenSource(config.graph, Date.now, requestEnded);
  const devices = createDeviceClient({ config: config.graph, tokens, clock: Date.now, ended: requestEnded });
  parts.opened('devices in graph', devices.close);
  const reader = directory.startReader({ find: devices.find, events, random });
  parts.opened('directory reader', reader.close, 'at once');
  return { directory, wake: reader.wake };
}

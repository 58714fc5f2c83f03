// Peer: the Graph SDK with its default retry handler, sending continuously with limited concurrency.
import { Client } from '@microsoft/microsoft-graph-client';
import { randomUUID } from 'node:crypto';
import { parseConfig } from '../../src/config/config.ts';
import { createTokenSource } from '../../src/graph/credential/token.ts';
import { aState, PEER_AT_ONCE } from './load.ts';
import { readArgument, say } from './process.ts';

const { timeScale, configurationId } = readArgument() as { timeScale: number; configurationId: string };
const config = parseConfig(process.env, 'worker');
const tokens = createTokenSource(config.graph, Date.now, () => undefined);
const token = await tokens.get();
if (!token.ok) throw new Error(token.failure.detail);

// The SDK waits with the global setTimeout.
const wait = globalThis.setTimeout;
globalThis.setTimeout = ((work: () => void, ms = 0, ...rest: []) =>
  wait(work, ms / timeScale, ...rest)) as typeof setTimeout;

const client = Client.init({
  authProvider: (done) => done(null, token.value),
  customHosts: new Set([new URL(config.graph.baseUrl).hostname]),
});

async function sendForEver(): Promise<never> {
  for (;;) {
    const { hardwareConfigurationId, ...members } = aState(configurationId, randomUUID());
    const url = `${config.graph.baseUrl}/deviceManagement/hardwareConfigurations/${hardwareConfigurationId}/deviceRunStates`;
    const body = { '@odata.type': '#microsoft.graph.hardwareConfigurationDeviceState', ...members };
    // After its last retry the SDK throws; users would send again.
    await client
      .api(url)
      .post(body)
      .catch(() => undefined);
  }
}

process.on('message', () => {
  for (let line = 0; line < PEER_AT_ONCE; line += 1) void sendForEver();
  say('begun');
});
say('ready');

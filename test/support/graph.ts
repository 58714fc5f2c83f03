// The product's Graph client against the test's own sandbox: real SDKs and HTTPS; everything is closed at the end.
import { dirname } from 'node:path';
import type { GraphConfig } from '../../src/config/graph.ts';
import { toSecret } from '../../src/config/secret.ts';
import type { DeviceRunState } from '../../src/domain/device-run-state.ts';
import { createGraphClient } from '../../src/graph/client.ts';
import type { RequestEnded } from '../../src/graph/request-ended.ts';
import { createTokenSource } from '../../src/graph/credential/token.ts';
import { createSandbox, type SandboxOptions } from '../../src/sandbox/sandbox.ts';

export type Ended = Parameters<RequestEnded>[0];

/** What a test may want to change. */
export type Wishes = {
  sandbox?: SandboxOptions;
  config?: Partial<GraphConfig>;
  clock?: () => number;
};

/** The directory of the certificate authority that this process trusts. */
export function trustedTlsDirectory(): string {
  const caPath = process.env['NODE_EXTRA_CA_CERTS'];
  if (caPath === undefined) throw new Error('vitest.config.ts names no globalSetup that sets NODE_EXTRA_CA_CERTS');
  return dirname(caPath);
}

/** A sandbox whose certificate this process trusts. */
function startTrustedSandbox(options: SandboxOptions = {}) {
  return createSandbox({ tlsDirectory: trustedTlsDirectory(), ...options });
}

/** A connected sandbox, token source and Graph client; `await using` closes them. */
export async function startGraph({ sandbox: options = {}, config: changes = {}, clock = Date.now }: Wishes = {}) {
  const sandbox = await startTrustedSandbox(options);
  const { tenantId, clientId } = sandbox;
  const config: GraphConfig = {
    baseUrl: sandbox.graphBaseUrl,
    scope: 'https://graph.microsoft.com/.default',
    authorityHost: sandbox.authorityHost,
    instanceDiscovery: false,
    credential: { kind: 'secret', tenantId, clientId, secret: toSecret(sandbox.clientSecret) },
    attemptTimeoutMs: 5000,
    proxy: null,
    ...changes,
  };
  const ended: Ended[] = [];
  const note: RequestEnded = (request) => void ended.push(request);
  const tokens = createTokenSource(config, clock, note);
  const client = createGraphClient({ config, tokens, clock, ended: note });
  const configurationId = sandbox.configurationIds[0] ?? '';
  const { signal } = new AbortController();
  return {
    sandbox,
    config,
    tokens,
    client,
    clock,
    /** Completed requests, as reported to the metrics. */
    ended,
    configurationId,
    /** A run state of this sandbox's first configuration. */
    state: (members: Partial<DeviceRunState> = {}): DeviceRunState => ({
      hardwareConfigurationId: configurationId,
      deviceName: 'BER-DEL-00001',
      internalVersion: 4,
      lastStateUpdateDateTime: '2026-11-20T10:00:00.1234567+01:00',
      configurationState: 'success',
      ...members,
    }),
    create: (state: DeviceRunState) => client.create(state, clock(), signal),
    [Symbol.asyncDispose]: async () => {
      await client.close();
      await sandbox.close();
    },
  };
}

export type GraphWorld = Awaited<ReturnType<typeof startGraph>>;

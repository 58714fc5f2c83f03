// The sandbox: a Microsoft Graph and a token endpoint with realistic behaviour, scripted faults and a request log.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { createTlsMaterial, openAuthority } from './server/certificates.ts';
import { createControl } from './server/control.ts';
import { issueFleetCertificate } from './directory/device-authority.ts';
import type { DeviceCredentials } from './directory/device-authority.ts';
import type { Directory } from './directory/directory.ts';
import { defaultConfigurations, defaultIdentity } from './graph/default-tenant.ts';
import { listen, stopListening } from './server/listener.ts';
import type { LimiterSettings } from './graph/limiter.ts';
import { createGraphServer } from './server/server.ts';
import { toRecord, toRequestRecord } from './records.ts';
import type { RequestRecord, RunStateRecord } from './records.ts';
import { applyChanges, defaultSettings } from './settings.ts';
import type { Changes, Settings } from './settings.ts';
import { readStats } from './stats.ts';
import type { Stats } from './stats.ts';
import { changeWorld, createWorld, resetWorld, scriptWorld } from './state.ts';
import type { Beginning, HardwareConfiguration } from './state.ts';

/** All optional; the settings are the initial ones, to which `reset` returns. */
export type SandboxOptions = Partial<Omit<Settings, 'limiter'>> & {
  /** HTTPS, for Graph and the token endpoint; 0 takes any free port. */
  port?: number;
  /** Plain HTTP, for the control routes; 0 takes any free port. */
  controlPort?: number;
  host?: string;
  controlHost?: string;
  /** Additional host names for the certificate, e.g. `sandbox`; the first is used in URLs. */
  hostNames?: readonly string[];
  /** The directory of ca.pem and fleet-ca.pem, which are created if missing. Default: a temporary directory, removed on close. */
  tlsDirectory?: string;
  tenantId?: string;
  clientId?: string;
  clientSecret?: string;
  configurations?: readonly HardwareConfiguration[];
  limiter?: Partial<LimiterSettings>;
  timeScale?: number;
  /** For random faults and latencies. */
  seed?: number;
  mostRequestsRemembered?: number;
  now?: () => number;
};

export type Sandbox = {
  graphBaseUrl: string;
  authorityHost: string;
  controlUrl: string;
  caPath: string;
  caPem: string;
  tenantId: string;
  clientId: string;
  clientSecret: string;
  managedIdentity: { endpoint: string; header: string };
  /** The app that may read devices and nothing else. */
  directoryApp: { clientId: string; clientSecret: string };
  /** The tenant's devices. */
  directory: Omit<Directory, 'clear'>;
  /** The fleet's own certificate authority: its certificate, and what it issues to a device. */
  fleetAuthority: { pem: string; path: string; issue: (deviceId: string) => Promise<DeviceCredentials> };
  configurationIds: string[];
  /** Every stored run state, oldest first. */
  records(): RunStateRecord[];
  /** Groups of two or more run states with equal content in one configuration. */
  duplicates(): RunStateRecord[][];
  /** The last requests, oldest first. */
  requests(): RequestRecord[];
  /** Called with each request as it is logged, just before it is answered. @returns a function that unsubscribes */
  subscribe(listener: (request: RequestRecord) => void): () => void;
  /** Adds lines to the script, or turns to a profile (grammar: `parseScript`, `parseFault`, `scriptWorld`); throws a ScriptError when it cannot be understood. */
  script(text: string): void;
  /** Makes changes that apply from the next request on. */
  set(changes: Changes): void;
  stats(): Stats;
  reset(): void;
  /** Environment variables that make a bridge process use this sandbox. */
  environment(): Record<string, string>;
  /** Those that make it accept the certificates of this sandbox's devices as well. */
  deviceEnvironment(): Record<string, string>;
  close(): Promise<void>;
};

/** Starts a sandbox; it accepts requests once the promise resolves. */
export async function createSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const beginning = toBeginning(options);
  const world = await createWorld(beginning);
  const { tenantId, clientId, clientSecret, directoryApp, managedIdentityHeader } = beginning.identity;

  const temporaryDirectory =
    options.tlsDirectory === undefined ? await mkdtemp(path.join(tmpdir(), 'runstate-sandbox-')) : undefined;
  const hostNames = ['localhost', '127.0.0.1', '::1', ...(options.hostNames ?? [])];
  const tlsDirectory = options.tlsDirectory ?? temporaryDirectory ?? '.';
  const tls = await createTlsMaterial(tlsDirectory, hostNames);
  const fleet = await openAuthority(tlsDirectory, 'fleet-ca', 'CN=runstate-bridge sandbox fleet CA');

  const closing = new AbortController();
  const graphServer = createGraphServer(world, tls, closing.signal);
  const port = await listen(graphServer, options.port ?? 0, options.host ?? '127.0.0.1');
  const authorityHost = `https://${options.hostNames?.[0] ?? 'localhost'}:${port}`;

  const sandbox: Sandbox = {
    graphBaseUrl: `${authorityHost}/beta`,
    authorityHost,
    controlUrl: '',
    caPath: tls.caPath,
    caPem: tls.caPem,
    tenantId,
    clientId,
    clientSecret,
    managedIdentity: { endpoint: '', header: managedIdentityHeader },
    directoryApp,
    directory: world.directory,
    fleetAuthority: {
      pem: fleet.pem,
      path: fleet.path,
      issue: (deviceId) => issueFleetCertificate(fleet.authority, deviceId),
    },
    configurationIds: beginning.configurations.map(({ id }) => id),
    records: () => world.store.all().map(toRecord),
    duplicates: () => world.store.duplicates().map((group) => group.map(toRecord)),
    requests: () => world.log.all().map(toRequestRecord),
    subscribe: (listener) => world.log.subscribe((request) => listener(toRequestRecord(request))),
    script: (text) => scriptWorld(world, text),
    set: (changes) => changeWorld(world, changes),
    stats: () => readStats(world),
    reset: () => resetWorld(world, beginning),
    environment: () => ({
      AZURE_TENANT_ID: tenantId,
      AZURE_CLIENT_ID: clientId,
      AZURE_CLIENT_SECRET: clientSecret,
      AZURE_AUTHORITY_HOST: authorityHost,
      GRAPH_BASE_URL: `${authorityHost}/beta`,
      NODE_EXTRA_CA_CERTS: tls.caPath,
    }),
    deviceEnvironment: () => ({
      DEVICE_CA_FILE: fleet.path,
      DEVICE_DIRECTORY: 'entra',
      DIRECTORY_CLIENT_ID: directoryApp.clientId,
      DIRECTORY_CLIENT_SECRET: directoryApp.clientSecret,
    }),
    close: async () => {
      closing.abort();
      await Promise.all([stopListening(graphServer), stopListening(control)]);
      if (temporaryDirectory !== undefined) await rm(temporaryDirectory, { recursive: true, force: true });
    },
  };
  const control = createControl(world, sandbox);
  const controlHost = options.controlHost ?? '127.0.0.1';
  const controlPort = await listen(control, options.controlPort ?? 0, controlHost).catch(async (error: unknown) => {
    await stopListening(graphServer);
    throw error;
  });
  sandbox.controlUrl = `http://${controlHost === '0.0.0.0' ? 'localhost' : controlHost}:${controlPort}`;
  sandbox.managedIdentity.endpoint = `${sandbox.controlUrl}/msi/token`;
  return sandbox;
}

function toBeginning(options: SandboxOptions): Beginning {
  const { tenantId, clientId, clientSecret } = { ...defaultIdentity, ...options };
  return {
    identity: { ...defaultIdentity, tenantId, clientId, clientSecret },
    configurations: options.configurations ?? defaultConfigurations,
    settings: toSettings(options, clientSecret),
    seed: options.seed ?? 1,
    mostRequestsRemembered: options.mostRequestsRemembered ?? 10_000,
    now: options.now ?? Date.now,
  };
}

function toSettings(options: SandboxOptions, clientSecret: string): Settings {
  const named = Object.entries(options).filter(([name]) => Object.hasOwn(defaultSettings, name));
  return applyChanges(defaultSettings, {
    secrets: [clientSecret],
    ...Object.fromEntries(named),
    limiter: { timeScale: options.timeScale ?? 1, ...options.limiter },
  });
}

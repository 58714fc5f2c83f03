// A fleet that signs with Entra certificates against real processes: the API without any credential, one worker, the sandbox.
import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { DeviceCredentials } from '../../src/sandbox/directory/device-authority.ts';
import { createSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts';
import { signWithCertificate } from './certificate-signing.ts';
import { runResult } from './device.ts';
import { startApi, startProcess, type TestProcess } from './process.ts';

type Answered = { status: number; code: string | undefined; tries: number };

export type EntraFleet = {
  sandbox: Sandbox;
  devices: DeviceCredentials[];
  /** Submits a run as an agent does: again after Retry-After, until it is taken or refused for good. */
  submit: (device: DeviceCredentials, runId: string) => Promise<Answered>;
  /** Submits one run of each device, some at a time; answers in the order of the devices. */
  submitAll: (devices: readonly DeviceCredentials[], runId: string, url?: string) => Promise<Answered[]>;
  /** Starts a second API process, for which what the directory said is out of date after a second. @returns where it listens */
  startRefreshing: () => Promise<string>;
  api: TestProcess;
  worker: TestProcess;
  /** The environment of the API. */
  environment: Record<string, string>;
  close: () => Promise<void>;
};

const AT_ONCE = 40;
const OPERATOR_TOKEN = 'operators-of-the-entra-fleet-know-it';

export async function openEntraFleet(size: number): Promise<EntraFleet> {
  const sandbox = await createSandbox({ limiter: { writesPer20s: 100_000, requestsPer20s: 100_000 } });
  const directory = await mkdtemp(join(tmpdir(), 'runstate-entra-'));
  const { DEVICE_DIRECTORY = '', ...directoryCredential } = sandbox.deviceEnvironment();
  const shared = { DATA_DIR: directory, DEVICE_DIRECTORY, OPERATOR_TOKEN };
  const { api, url } = await startApi(shared);
  const worker = startProcess('workers/main.ts', {
    ...shared,
    ...sandbox.environment(),
    ...directoryCredential,
    GRAPH_WRITES_PER_20S: '100000',
    WORKER_PORT: '0',
  });
  await worker.line('working');
  const processes = [api, worker];
  const devices = await Promise.all(Array.from({ length: size }, (_, index) => addDevice(sandbox, index)));

  const submit = (device: DeviceCredentials, runId: string) => submitRun(url, sandbox, device, runId);
  return {
    sandbox,
    devices,
    submit,
    startRefreshing: async () => {
      const second = await startApi({ ...shared, DEVICE_DIRECTORY_MAX_AGE_H: '0.0003' });
      processes.push(second.api);
      return second.url;
    },
    submitAll: async (some, runId, to = url) => {
      const answers: Answered[] = [];
      const remaining = some.entries();
      const keepSubmitting = async () => {
        for (const [index, device] of remaining) answers[index] = await submitRun(to, sandbox, device, runId);
      };
      await Promise.all(Array.from({ length: AT_ONCE }, keepSubmitting));
      return answers;
    },
    api,
    worker,
    environment: shared,
    close: async () => {
      await Promise.all(processes.map((process) => process.close()));
      await sandbox.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Both issuer names and two kinds of join, as in a tenant. */
const addDevice = ({ directory }: Sandbox, index: number): Promise<DeviceCredentials> =>
  directory.join({
    issuer: index % 2 === 0 ? 'short' : 'long',
    trustType: index % 3 === 0 ? 'ServerAd' : 'AzureAd',
  });

async function submitRun(
  url: string,
  sandbox: Sandbox,
  { deviceId, certificatePem, privateKeyPem }: DeviceCredentials,
  runId: string,
): Promise<Answered> {
  const body = JSON.stringify(
    runResult({ runId, deviceId, deviceName: deviceId, hardwareConfigurationId: sandbox.configurationIds[0] }),
  );
  const certificate = { der: new X509Certificate(certificatePem).raw, keyPem: privateKeyPem };
  for (let tries = 1; ; tries += 1) {
    const headers = signWithCertificate({ certificate, alg: 'rsa-v1_5-sha256', body, deviceId });
    const response = await fetch(`${url}/v1/run-results`, {
      method: 'POST',
      body,
      headers: { ...headers, 'Content-Type': 'application/json' },
    });
    const { code } = (await response.json()) as { code?: string };
    if (response.status !== 503 && response.status !== 429) return { status: response.status, code, tries };
    await delay(1000 * Number(response.headers.get('retry-after')));
  }
}

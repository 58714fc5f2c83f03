// `report`: signs and submits one run result as a device does.
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { readDelivery, type DeviceClientOptions, type DeliveryReport } from '../device/device-client.ts';
import { readSettingFile } from '../config/setting-file.ts';
import { readCertificateKey } from '../device/certificate-key.ts';
import { isLater } from '../device/outcome.ts';
import type { DeviceCredentials } from '../device/sign-request.ts';
import { submitUntilAccepted } from '../device/submit-with-retries.ts';
import { EXIT } from './exit.ts';
import { printError, printJson } from './out.ts';
import { reportSpooled } from './report-spooled.ts';

export type ReportFlags = {
  url: string;
  deviceId?: string;
  tenant?: string;
  keyFile?: string;
  certificate?: string;
  privateKey?: string;
  runId?: string;
  configuration?: string;
  deviceName?: string;
  osVersion?: string;
  upn?: string;
  policyVersion?: number;
  completedAt?: string;
  state?: string;
  exitCode?: number;
  output?: string;
  error?: string;
  spool?: string;
  retryFor: number;
  wait: number;
};

const POLL_MS = 500;

/** Prints the receipt (with --wait the delivery) as JSON; the exit code reflects the result. */
export async function report(file: string | undefined, flags: ReportFlags): Promise<void> {
  process.exitCode = await submitReport(file, flags).catch((error: unknown) => {
    printError(error instanceof Error ? error.message : 'it failed');
    return EXIT.usage;
  });
}

async function submitReport(file: string | undefined, flags: ReportFlags): Promise<number> {
  const runResult = {
    runId: randomUUID(),
    completedAt: new Date().toISOString(),
    ...(await read(file)),
    ...fromFlags(flags),
  };
  const { deviceId } = runResult as { deviceId?: unknown };
  if (typeof deviceId !== 'string') throw new Error('which device? give --device-id, or deviceId in the file');
  const credentials = await readCredentials(flags);
  if (typeof credentials === 'string') {
    printError(credentials);
    return EXIT.config;
  }
  const { tenant } = flags;
  const device: DeviceClientOptions = {
    baseUrl: flags.url,
    deviceId,
    ...(tenant !== undefined && { tenant }),
    ...credentials,
  };
  const retryForMs = flags.retryFor * 1000;
  const waitMs = flags.wait * 1000;
  if (flags.spool !== undefined) {
    const whenStored = (deliveryId: string) =>
      waitMs === 0 ? Promise.resolve(EXIT.ok) : waitForEnd(deliveryId, device, waitMs);
    return reportSpooled({ runResult, device, directory: flags.spool, retryForMs, whenStored });
  }
  const { outcome } = await submitUntilAccepted(runResult, device, {
    random: Math.random,
    giveUpAfterMs: retryForMs,
  });
  switch (outcome.kind) {
    case 'accepted':
    case 'duplicate':
      if (waitMs === 0) {
        printJson(outcome.receipt);
        return EXIT.ok;
      }
      return waitForEnd(outcome.receipt.deliveryId, device, waitMs);
    case 'refused':
      printError(
        `refused: ${outcome.httpStatus} ${outcome.code}: ${outcome.problem.detail ?? 'not in the bridge’s words'}`,
      );
      for (const { pointer, detail } of outcome.problem.errors ?? []) printError(`  ${pointer || '/'} ${detail}`);
      return isLater(outcome.httpStatus) ? EXIT.later : EXIT.refused;
    case 'unreachable':
      if (outcome.httpStatus !== undefined) {
        printError(`${outcome.reason}: does --url lead to the bridge?`);
        return EXIT.unavailable;
      }
      printError(`not reachable: ${outcome.reason}`);
      return EXIT.later;
  }
}

async function waitForEnd(deliveryId: string, device: DeviceClientOptions, waitMs: number): Promise<number> {
  const giveUpAt = Date.now() + waitMs;
  let delivery: DeliveryReport | null = null;
  do {
    const read = await readDelivery(deliveryId, device);
    if (read.kind === 'found') delivery = read.delivery;
    if (delivery && ['delivered', 'dead', 'superseded'].includes(delivery.status)) break;
    await delay(POLL_MS);
  } while (Date.now() < giveUpAt);
  printJson(delivery ?? { deliveryId });
  return delivery?.status === 'delivered' || delivery?.status === 'superseded' ? EXIT.ok : EXIT.undelivered;
}

async function read(file: string | undefined): Promise<object> {
  if (file === undefined) return {};
  const json: unknown = JSON.parse(file === '-' ? await text(process.stdin) : await readFile(file, 'utf8'));
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new Error('a run result is a JSON object');
  return json;
}

function fromFlags(flags: ReportFlags): object {
  const members = {
    runId: flags.runId,
    deviceId: flags.deviceId,
    hardwareConfigurationId: flags.configuration,
    deviceName: flags.deviceName,
    osVersion: flags.osVersion,
    upn: flags.upn,
    policyVersion: flags.policyVersion,
    completedAt: flags.completedAt,
    state: flags.state,
    exitCode: flags.exitCode,
    output: flags.output,
    error: flags.error,
  };
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

/**
 * @returns what the device signs with, or why its certificate cannot be used
 * @throws Error if the options do not say what that is
 */
async function readCredentials(flags: ReportFlags): Promise<DeviceCredentials | string> {
  const { certificate, privateKey, keyFile } = flags;
  if (certificate === undefined && privateKey === undefined) return { deviceKey: await readKey(keyFile) };
  if (certificate === undefined || privateKey === undefined)
    throw new Error('give both --certificate and --private-key');
  if (keyFile !== undefined) throw new Error('give either --key-file or --certificate');
  try {
    const files = { certificate: readSettingFile(certificate), privateKey: readSettingFile(privateKey) };
    readCertificateKey(files);
    return files;
  } catch (error) {
    return `${certificate}, ${privateKey}: ${error instanceof Error ? error.message : 'cannot be used'}`;
  }
}

async function readKey(path: string | undefined): Promise<string> {
  const key = path === undefined ? process.env['DEVICE_KEY'] : await readFile(path, 'utf8');
  if (key === undefined || key.trim() === '')
    throw new Error('which key? give --key-file, or DEVICE_KEY in the environment');
  return key.trim();
}

// `report`: signs and submits one run result as a device does.
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { readDelivery, type Agent, type DeliveryReport } from '../device/agent.ts';
import { isLater } from '../device/outcome.ts';
import { submitUntilAccepted } from '../device/persistence.ts';
import { EXIT } from './exit.ts';
import { complain, printJson } from './out.ts';

export type ReportFlags = {
  url: string;
  deviceId?: string;
  keyFile?: string;
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
  retryFor: number;
  wait: number;
};

const POLL_MS = 500;

/** Prints the receipt (with --wait the delivery) as JSON; the exit code reflects the result. */
export async function report(file: string | undefined, flags: ReportFlags): Promise<void> {
  process.exitCode = await submitReport(file, flags).catch((error: unknown) => {
    complain(error instanceof Error ? error.message : 'it failed');
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
  const agent: Agent = { baseUrl: flags.url, deviceId, deviceKey: await readKey(flags.keyFile) };
  const { outcome } = await submitUntilAccepted(runResult, agent, {
    random: Math.random,
    giveUpAfterMs: flags.retryFor * 1000,
  });
  switch (outcome.kind) {
    case 'accepted':
    case 'duplicate':
      if (flags.wait === 0) {
        printJson(outcome.receipt);
        return EXIT.ok;
      }
      return waitForEnd(outcome.receipt.deliveryId, agent, flags.wait * 1000);
    case 'refused':
      complain(
        `refused: ${outcome.httpStatus} ${outcome.code}: ${outcome.problem.detail ?? 'not in the bridge’s words'}`,
      );
      for (const { pointer, detail } of outcome.problem.errors ?? []) complain(`  ${pointer || '/'} ${detail}`);
      return isLater(outcome.httpStatus) ? EXIT.later : EXIT.refused;
    case 'unreachable':
      if (outcome.httpStatus !== undefined) {
        complain(`${outcome.reason}: does --url lead to the bridge?`);
        return EXIT.unavailable;
      }
      complain(`not reachable: ${outcome.reason}`);
      return EXIT.later;
  }
}

async function waitForEnd(deliveryId: string, agent: Agent, waitMs: number): Promise<number> {
  const giveUpAt = Date.now() + waitMs;
  let delivery: DeliveryReport | null = null;
  do {
    const read = await readDelivery(deliveryId, agent);
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

async function readKey(path: string | undefined): Promise<string> {
  const key = path === undefined ? process.env['DEVICE_KEY'] : await readFile(path, 'utf8');
  if (key === undefined || key.trim() === '')
    throw new Error('which key? give --key-file, or DEVICE_KEY in the environment');
  return key.trim();
}

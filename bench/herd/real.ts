// Real reporters, each with a spool, that lose a real API for a while: when each comes back, and what it had stored.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startChild } from '../../src/cli/demo/child.ts';
import { createReporter, openSpool } from '../../src/device/package.ts';
import { deriveDeviceKey } from '../../src/domain/submission/device-key.ts';
import { freePort } from '../../test/support/free-port.ts';
import type { Return } from './agent.ts';

const RESULTS_EACH = 3;
const OPERATOR_TOKEN = randomBytes(24).toString('hex');
const RAN = { hardwareConfigurationId: '1d5c8a52-7e0f-4f1b-9a6d-3c2b1e0f9a81', policyVersion: 4, exitCode: 0 };

export async function playReal(devices: number, outageS: number): Promise<Return[]> {
  const directory = await mkdtemp(join(tmpdir(), 'runstate-herd-'));
  const groupKey = randomBytes(32);
  const port = await freePort();
  const openedAt = Promise.withResolvers<number>();
  const report = async (number: number): Promise<Return> => {
    const deviceId = `herd-${number}`;
    let back = 0;
    const delivered = new Set<string>();
    const reporter = createReporter({
      url: `http://127.0.0.1:${port}`,
      spool: await openSpool({ directory: join(directory, deviceId) }),
      deviceId,
      deviceKey: deriveDeviceKey(groupKey, deviceId).toString('base64'),
      proxy: '',
      onEvent: (event) => {
        if (event.type !== 'stored') return;
        back ||= Date.now();
        delivered.add(event.deliveryId);
      },
    });
    for (let result = 0; result < RESULTS_EACH; result += 1) await reporter.add(RAN);
    await reporter.sendAll();
    await reporter.close();
    return { afterS: (back - (await openedAt.promise)) / 1000, made: RESULTS_EACH, stored: delivered.size };
  };
  const reports = Promise.all(Array.from({ length: devices }, (_, number) => report(number)));
  await delay(outageS * 1000);
  const api = await startChild({
    name: 'api',
    entry: 'src/main',
    env: {
      ...process.env,
      DATA_DIR: join(directory, 'redis'),
      DEVICE_GROUP_KEYS: groupKey.toString('base64'),
      OPERATOR_TOKEN,
      HOST: '127.0.0.1',
      PORT: String(port),
      LOG_LEVEL: 'info',
    },
    directory,
  });
  openedAt.resolve(Date.now());
  try {
    const returns = await reports;
    const metrics = await (await fetch(`${api.url}/metrics`)).text();
    const stored = sumOf(metrics, /^runstate_submissions_total\{[^}]*outcome="accepted".* (\d+)$/gm);
    if (stored !== devices * RESULTS_EACH) throw new Error(`the API accepted ${stored} results`);
    return returns;
  } finally {
    await api.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

const sumOf = (metrics: string, pattern: RegExp): number =>
  Array.from(metrics.matchAll(pattern)).reduce((sum, [, count]) => sum + Number(count), 0);

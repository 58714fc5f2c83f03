// A worker's end of the directory bench, in a thread of its own: answers questions as Graph would, and says when each was put.
import { setTimeout as delay } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { toSecret } from '../../src/config/secret.ts';
import { keyOf } from '../../test/support/directory-wave.ts';
import { found, openTestDirectory } from '../../test/support/directory.ts';

const { url } = workerData as { url: string };
const directory = await openTestDirectory({ config: { kind: 'single', url: toSecret(url), prefix: 'runstate' } });
const askedAt: number[] = [];
directory.read(async (deviceId) => {
  askedAt.push(performance.now());
  await delay(50 + Math.random() * 150);
  return found(keyOf(deviceId));
});
parentPort?.once('message', () => {
  void directory.close().then(() => parentPort?.postMessage({ askedAt, devices: directory.asked.size }));
});

// Measures a wave of new devices against the device directory: how long it takes, at what pace, and what known devices notice.
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { toKeyDigest } from '../../src/domain/directory/directory-device.ts';
import {
  countMostWithin,
  judgeKnown,
  keyOf,
  madeUpIds,
  playWave,
  quantile,
  type KnownResult,
} from '../../test/support/directory-wave.ts';
import { openTestDirectory } from '../../test/support/directory.ts';
import { startTestRedis } from '../../test/support/redis.ts';
import { createMirror } from '../../src/queue/directory/mirror.ts';
import { createKeys } from '../../src/queue/redis/keys.ts';

const { values } = parseArgs({
  options: {
    devices: { type: 'string', default: '10000' },
    known: { type: 'string', default: '500' },
    'quiet-seconds': { type: 'string', default: '20' },
  },
});
const KNOWN_EVERY_MS = 5000;
/** Retry-After, and what a device adds by itself. */
const againAfterMs = () => 1000 * (1 + Math.floor(Math.random() * 5)) + Math.random() * 1000;

const redis = await startTestRedis();
const api = await openTestDirectory(redis);
const worker = new Worker(new URL('reader.ts', import.meta.url), { workerData: { url: redis.url } });
try {
  const knownIds = madeUpIds(Number(values.known));
  const mirror = createMirror(redis.client, createKeys('runstate', 'default'));
  for (const id of knownIds) {
    const device = { isEnabled: true, isManaged: true, keys: [toKeyDigest(keyOf(id))] };
    await mirror.saveDevice(id, device, Date.now());
  }
  const steady = { verify: api.verify, knownIds, knownEveryMs: KNOWN_EVERY_MS };
  const quiet = new AbortController();
  const [before] = await Promise.all([
    judgeKnown({ ...steady, signal: quiet.signal }),
    delay(Number(values['quiet-seconds']) * 1000).then(() => quiet.abort()),
  ]);

  const newIds = madeUpIds(Number(values.devices));
  const wave = await playWave({ ...steady, newIds, againAfterMs });
  worker.postMessage('report');
  const [{ askedAt, devices }] = (await once(worker, 'message')) as [{ askedAt: number[]; devices: number }];

  const tookS = Math.max(...wave.goodAfterMs) / 1000;
  say(
    `${newIds.length} new devices at once: ${wave.goodAfterMs.length} good, ${wave.refused} refused, in ${tookS.toFixed(0)} s`,
  );
  say(
    `median ${seconds(quantile(wave.goodAfterMs, 0.5))}, ${(wave.tries / newIds.length).toFixed(1)} tries each, ${wave.overloaded} of them overloaded`,
  );
  say(`${askedAt.length} questions about ${devices} devices, ${(devices / tookS).toFixed(1)}/s`);
  say(
    `at most ${countMostWithin(askedAt, 1000)} within any second, ${countMostWithin(askedAt, 10_000)} within any 10 s`,
  );
  say(`known devices without the wave: ${describe(before)}`);
  say(`known devices during the wave:  ${describe(wave.known)}`);
} finally {
  await worker.terminate();
  await api.close();
  await redis.close();
}

function describe({ latenciesMs, notGood }: KnownResult): string {
  const [p50, p99, worst] = [0.5, 0.99, 1].map((share) => quantile(latenciesMs, share).toFixed(1));
  return `${latenciesMs.length} judged, ${notGood} not good, median ${p50} ms, p99 ${p99} ms, worst ${worst} ms`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(0)} s`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

// Whole processes at both ends of a move: what devices and operators hear of either, before it, while it lasts and after it.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { moveHere, openEnd, QUIET, type OpenedEnd } from '../support/moving.ts';
import { GROUP_KEY, runResult } from '../support/device.ts';
import { startApi, type TestProcess } from '../support/process.ts';
import { send } from '../support/raw-http.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';
import { submitTo } from '../support/submit.ts';

const OPERATOR_TOKEN = 'operator-token-of-the-moving-tests-01';
const authorization = `Bearer ${OPERATOR_TOKEN}`;
const WITHIN_MS = 120_000;

let redis: { old: TestRedis; fresh: TestRedis };
let ends: { source: OpenedEnd; target: OpenedEnd };
const processes: TestProcess[] = [];

beforeEach(async () => {
  redis = { old: await startTestRedis(), fresh: await startTestRedis() };
  ends = { source: await openEnd(redis.old.config, 'old:6379'), target: await openEnd(redis.fresh.config, 'new:6379') };
});
afterEach(async () => {
  await Promise.all(processes.splice(0).map((process) => process.close()));
  await Promise.all([ends.source.close(), ends.target.close()]);
  await Promise.all([redis.old.close(), redis.fresh.close()]);
});

async function start({ url }: TestRedis): Promise<number> {
  const { api, port } = await startApi({ REDIS_URL: url, DEVICE_GROUP_KEYS: GROUP_KEY, OPERATOR_TOKEN });
  processes.push(api);
  return port;
}

const aRun = (runId: string) => JSON.stringify(runResult({ runId }));
const read = (port: number, path: string) => send({ port, method: 'GET', path, headers: { authorization } });
const REFUSED = { status: 503, headers: { 'retry-after': expect.stringMatching(/^\d+$/) as unknown } };

test(
  'an API at either end · accepts, reads and lists only where the data is · and says why it does not',
  async () => {
    const old = await start(redis.old);
    const first = await submitTo(old, aRun('run-1'));
    expect(first.status).toBe(202);
    const { deliveryId } = first.body as { deliveryId: string };
    await moveHere({ ...ends, isPreparing: true });
    const fresh = await start(redis.fresh);
    expect(await submitTo(fresh, aRun('run-1'))).toMatchObject(REFUSED);
    expect(JSON.stringify((await read(fresh, '/readyz')).body)).toContain('is being moved here from old:6379');

    let meanwhile: Promise<unknown[]> = Promise.resolve([]);
    const paths = [`/v1/deliveries/${deliveryId}`, '/v1/dead-letters', '/v1/status', '/v1/deliveries?status=queued'];
    paths.push('/v1/summaries', '/v1/replays', '/v1/devices/revoked');
    await moveHere({
      ...ends,
      events: {
        ...QUIET,
        closed: () => {
          meanwhile = Promise.all([submitTo(old, aRun('run-2')), submitTo(fresh, aRun('run-2'))]);
        },
      },
    });
    for (const answer of await meanwhile) expect([202, 503]).toContain((answer as { status: number }).status);
    for (const path of paths) expect(await read(old, path), path).toMatchObject(REFUSED);
    for (const path of paths) expect(await read(fresh, path), path).toMatchObject({ status: 200 });
    expect(await submitTo(old, aRun('run-3'))).toMatchObject(REFUSED);
    expect(await submitTo(fresh, aRun('run-1'))).toMatchObject({ status: 200, body: { deliveryId } });
    const ready = await read(old, '/readyz');
    expect(ready.status).toBe(503);
    expect(JSON.stringify(ready.body)).toContain('the data has moved to new:6379: point this process at it');
    expect(await read(fresh, '/readyz')).toMatchObject({ status: 200 });
    for (const { lines } of processes) expect(lines.filter(({ msg }) => msg.startsWith('defect'))).toEqual([]);
  },
  WITHIN_MS,
);

// What all runs share: real processes of the bridge, their Redis, and the sandbox as Graph.
import { randomBytes } from 'node:crypto';
import { createSandbox } from '../../src/sandbox/sandbox.ts';
import { startApi, startProcess } from '../support/process.ts';
import { startTestRedis } from '../support/redis.ts';

const OPERATOR_TOKEN = 'an-operator-token-of-this-campaign-alone';

export type Stage = Awaited<ReturnType<typeof openStage>>;

export async function openStage() {
  const groupKey = randomBytes(48);
  const redis = await startTestRedis();
  const sandbox = await createSandbox();
  const environment = {
    ...sandbox.environment(),
    REDIS_URL: redis.url,
    DEVICE_GROUP_KEYS: groupKey.toString('base64'),
    OPERATOR_TOKEN,
    WORKER_PORT: '0',
    HOST: '127.0.0.1',
    GRAPH_WRITES_PER_20S: '1000',
    DEVICE_RATE_PER_MIN: '0',
  };
  const { api, url } = await startApi(environment);
  const worker = startProcess('workers/main.ts', environment);
  await worker.line('working');
  return {
    url,
    groupKey,
    configurationId: sandbox.configurationIds[0] ?? '',
    /** The run ids that the records of this device name. */
    records: (deviceId: string): string[] =>
      sandbox
        .records()
        .filter(({ deviceName }) => deviceName === deviceId)
        .map(({ upn }) => String(upn)),
    duplicates: () => sandbox.duplicates().map((duplicate) => JSON.stringify(duplicate).slice(0, 200)),
    /** Whether a delivery is still on its way. */
    isBusy: async (): Promise<boolean> => {
      const answer = await fetch(`${url}/v1/status`, { headers: { Authorization: `Bearer ${OPERATOR_TOKEN}` } });
      if (!answer.ok) throw new Error(`status: ${answer.status} ${await answer.text()}`);
      const { tenants } = (await answer.json()) as { tenants: { counts: Record<string, number> }[] };
      return tenants.some(({ counts }) => ['queued', 'delivering', 'waiting'].some((name) => (counts[name] ?? 0) > 0));
    },
    close: async () => {
      await Promise.all([api.close(), worker.close()]);
      await sandbox.close();
      await redis.close();
    },
  };
}

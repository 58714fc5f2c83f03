// What a permit costs: how long acquiring one takes with 1, 4 and 16 workers.
import { startTestRedis } from '../../test/support/redis.ts';
import { openTestBudget } from '../../test/support/budget.ts';

const ASKED_IN_ALL = 4000;
const ASKING = { id: 'd', hardwareConfigurationId: '11111111-2222-3333-4444-555555555555' };

for (const durability of ['always', 'everysec'] as const) {
  for (const workers of [1, 4, 16]) {
    process.stdout.write(`appendfsync ${durability}, ${String(workers).padStart(2)} workers: ${await measure()}\n`);

    async function measure(): Promise<string> {
      const redis = await startTestRedis('--appendfsync', durability);
      // So fast that every call is granted a slot, the most expensive case.
      const budgets = Array.from({ length: workers }, () => openTestBudget(redis, { writesPer20s: 100_000_000 }));
      await Promise.all(budgets.map((budget) => budget.acquire('write', ASKING)));
      const tookMs: number[] = [];
      for (let asked = 0; asked < ASKED_IN_ALL; asked += workers) {
        await Promise.all(
          budgets.map(async (budget) => {
            const askedAt = performance.now();
            await budget.acquire('write', ASKING);
            tookMs.push(performance.now() - askedAt);
          }),
        );
      }
      const statistics = await redis.client.info('commandstats');
      await Promise.all(budgets.map((budget) => budget.close()));
      await redis.close();
      const sorted = tookMs.toSorted((a, b) => a - b);
      const at = (share: number) => (sorted[Math.floor(share * (sorted.length - 1))] ?? NaN).toFixed(2);
      const inRedisUs = /^cmdstat_evalsha:.*usec_per_call=([\d.]+)/m.exec(statistics)?.[1];
      return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms; the script itself ${inRedisUs} µs`;
    }
  }
}

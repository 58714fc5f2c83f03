// Tenants on one connection: they leave nothing on it when they are closed, however often they are opened.
import { expect, test } from 'vitest';
import { DEFAULT_TENANT, toEnvironmentTenant } from '../../src/config/tenants/tenant.ts';
import { parseConfig } from '../../src/config/config.ts';
import { openAcceptingTenant } from '../../src/queue/accepting-tenant.ts';
import { openRedis } from '../../src/queue/redis/open-redis.ts';
import { startTestRedis } from '../support/redis.ts';

const ignore = () => undefined;

test('tenants that are opened and closed · leave no listener on the connection', async () => {
  const server = await startTestRedis();
  const redis = await openRedis(server.config, 'answer', {
    redisTrouble: ignore,
    waitingForRedis: ignore,
    durability: ignore,
  });
  const { connection } = redis;
  const config = toEnvironmentTenant(parseConfig({ TENANTS_FILE: '/nowhere' }, 'worker'));
  const count = () => connection.eventNames().map((name) => [name, connection.listenerCount(name)]);
  const before = count();
  for (let opening = 0; opening < 3; opening += 1) {
    const tenant = await openAcceptingTenant(
      redis,
      { ...config, id: `${DEFAULT_TENANT}-${opening}` },
      { redisTrouble: ignore, onBacklog: ignore },
    );
    tenant.close();
  }
  expect(count()).toEqual(before);
  // More than a thousand tenants need, or Node would warn of a leak.
  expect(connection.getMaxListeners()).toBeGreaterThan(10_000);
  await redis.close();
  await server.close();
});

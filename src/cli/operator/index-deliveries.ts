// `deliveries index`: adds records stored by earlier versions to the index of deliveries, in Redis itself, beside live traffic.
import { ConfigError, parseConfig, type Config } from '../../config/config.ts';
import { readTenants } from '../../config/tenants/read.ts';
import { toEnvironmentTenant, type TenantConfig } from '../../config/tenants/tenant.ts';
import { openRedis } from '../../queue/redis/open-redis.ts';
import { openTenant } from '../../queue/tenant.ts';
import { EXIT } from '../exit.ts';
import { print, printError } from '../out.ts';
import { OperatorError } from './operator.ts';

export type IndexFlags = { tenant?: string };

const PROGRESS_EVERY_MS = 5000;

export async function indexDeliveries({ tenant: only }: IndexFlags): Promise<void> {
  const config = readConfig();
  const tenants = (await tenantsOf(config)).filter(({ id }) => only === undefined || id === only);
  if (tenants.length === 0) throw new OperatorError(`there is no tenant ${only ?? ''}`, EXIT.refused);
  const ignore = () => undefined;
  const redis = await openRedis(config.redis, 'work', {
    redisTrouble: ignore,
    waitingForRedis: ignore,
    durability: ignore,
  });
  try {
    if (redis.connection.status !== 'ready') throw new OperatorError('Redis does not answer', EXIT.later);
    for (const settings of tenants) {
      const tenant = await openTenant(redis, settings, {});
      try {
        const { records, added, reports } = await tenant.deliveries.rebuildIndex(createProgress(settings.id));
        print(
          `${settings.id}: ${records} deliveries, of which ${added} were added to the index, and ${reports} were news of their device`,
        );
      } finally {
        tenant.close();
      }
    }
  } finally {
    await redis.close();
  }
}

/** As a worker or as an API: whichever process the environment is for. */
function readConfig(): Config {
  try {
    return parseConfig(process.env, 'worker');
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
  }
  try {
    return parseConfig(process.env, 'api');
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new OperatorError(error.message, EXIT.config);
  }
}

async function tenantsOf(config: Config): Promise<readonly TenantConfig[]> {
  if (config.tenantsFile === null) return [toEnvironmentTenant(config)];
  const { tenants, faults } = await readTenants(config.tenantsFile, config, 'worker');
  if (faults.length > 0) throw new OperatorError(`TENANTS_FILE: ${faults.join('; ')}`, EXIT.config);
  return tenants;
}

function createProgress(tenantId: string): (done: number, all: number) => void {
  let toldAt = performance.now();
  return (done, all) => {
    if (performance.now() - toldAt < PROGRESS_EVERY_MS) return;
    toldAt = performance.now();
    printError(`${tenantId}: ${done} of ${all} …`);
  };
}

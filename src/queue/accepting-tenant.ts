// A tenant in a process that accepts submissions: adds revocations, device rate limits, the backlog watch and forecasts.
import type { BacklogState } from '../domain/operations/backlog.ts';
import { createForecast, type Forecast } from './budget/forecast.ts';
import { createDeviceCounts, type CountDevice } from './devices/device-counts.ts';
import { openRevocations, type Revocations } from './devices/revocations.ts';
import type { OpenRedis } from './redis/open-redis.ts';
import { watchBacklog, type BacklogWatch } from './store/backlog.ts';
import { openTenant, type Tenant, type TenantOptions, type TenantSettings } from './tenant.ts';

export type AcceptingTenant = Tenant &
  Pick<BacklogWatch, 'accept' | 'backlogState' | 'judgeBacklog'> & {
    forecast: Forecast;
    revocations: Revocations;
    countDevice: CountDevice;
  };

export type AcceptingOptions = TenantOptions & {
  redisTrouble: (error: Error) => void;
  /** Called when the backlog has room for fewer or for more run results than before. */
  onBacklog: (state: BacklogState) => void;
};

export async function openAcceptingTenant(
  redis: OpenRedis,
  settings: TenantSettings,
  options: AcceptingOptions,
): Promise<AcceptingTenant> {
  const tenant = await openTenant(redis, settings, options);
  const { keys, clock } = tenant;
  const { writesPer20s } = settings.delivery;
  const backlog = watchBacklog(tenant, { limits: settings.backlog, writesPer20s, report: options.onBacklog });
  const revocations = await openRevocations(redis.connection, keys, options.redisTrouble);
  return {
    ...tenant,
    accept: backlog.accept,
    backlogState: backlog.backlogState,
    judgeBacklog: backlog.judgeBacklog,
    forecast: createForecast(backlog.latestSnapshot, writesPer20s, clock.now),
    revocations,
    countDevice: createDeviceCounts(redis.connection, keys),
    close: () => {
      revocations.close();
      backlog.close();
      tenant.close();
    },
  };
}

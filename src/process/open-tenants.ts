// The open tenants of a process: one map, changed as its configuration changes; nothing else knows how many there are.
import { isSame } from '../config/tenants/watch.ts';
import type { TenantConfig } from '../config/tenants/tenant.ts';

/** What a process opens for a tenant. */
export type OpenTenant = {
  id: string;
  /** Takes no new work by itself; callers are still answered. */
  stop: () => Promise<void> | void;
  close: () => Promise<void> | void;
};

export type OpenTenants<T extends OpenTenant> = {
  find: (id: string) => T | null;
  all: () => readonly T[];
  /** Opens those a process starts with. @throws if one cannot be opened */
  open: (configs: readonly TenantConfig[]) => Promise<void>;
  /**
   * Opens, opens again and closes what differs; other tenants are not touched. One call at a time. Does not wait for what
   * is closed: attempts in progress may take long.
   * @returns the tenants that are not as configured, since they could not be opened
   */
  apply: (configs: readonly TenantConfig[]) => Promise<readonly string[]>;
  stop: () => Promise<void>;
  /** Also of those that are being opened, or that a change is closing. */
  close: () => Promise<void>;
};

export type OpenTenantsParts<T> = {
  /** @throws if it cannot be opened; the tenant then stays as it was */
  open: (config: TenantConfig) => Promise<T>;
  onFailed: (error: unknown, tenantId: string) => void;
};

export function createOpenTenants<T extends OpenTenant>(parts: OpenTenantsParts<T>): OpenTenants<T> {
  const opened = new Map<string, { tenant: T; config: TenantConfig }>();
  /** What the end of the process waits for. */
  const underWay = new Set<Promise<unknown>>();
  let isClosed = false;
  /** A function, as it may have changed while something was awaited. */
  const isEnding = () => isClosed;

  function follow<R>(work: Promise<R>): Promise<R> {
    const followed = work.finally(() => underWay.delete(followed));
    underWay.add(followed);
    return followed;
  }

  async function end({ id, stop, close }: T): Promise<void> {
    try {
      await stop();
      await close();
    } catch (error) {
      parts.onFailed(error, id);
    }
  }

  /** @returns whether it is as configured */
  async function renew(config: TenantConfig): Promise<boolean> {
    const { id } = config;
    const old = opened.get(id);
    if (isClosed || (old && isSame(old.config, config))) return true;
    try {
      const tenant = await parts.open(config);
      if (isEnding()) {
        await end(tenant);
        return true;
      }
      opened.set(id, { tenant, config });
    } catch (error) {
      parts.onFailed(error, id);
      return false;
    }
    if (old) void follow(end(old.tenant));
    return true;
  }

  function remove(id: string): void {
    const old = opened.get(id);
    if (!old || isClosed) return;
    opened.delete(id);
    void follow(end(old.tenant));
  }

  async function apply(configs: readonly TenantConfig[]): Promise<readonly string[]> {
    const wanted = new Set(configs.map(({ id }) => id));
    for (const id of [...opened.keys()]) if (!wanted.has(id)) remove(id);
    const failed: string[] = [];
    for (const config of configs) if (!(await renew(config))) failed.push(config.id);
    return failed;
  }

  async function openAll(configs: readonly TenantConfig[]): Promise<void> {
    const openings = await Promise.allSettled(configs.map(parts.open));
    const tenants = openings.flatMap((opening) => (opening.status === 'fulfilled' ? [opening.value] : []));
    if (isClosed || tenants.length < configs.length) {
      await Promise.all(tenants.map(end));
      throwFirst(openings);
      return;
    }
    configs.forEach((config, index) => {
      const tenant = tenants[index];
      if (tenant) opened.set(config.id, { tenant, config });
    });
  }

  const all = () => Array.from(opened.values(), ({ tenant }) => tenant);
  return {
    all,
    find: (id) => opened.get(id)?.tenant ?? null,
    open: (configs) => follow(openAll(configs)),
    apply: (configs) => follow(apply(configs)),
    stop: async () => {
      isClosed = true;
      await ofAll(all(), ({ stop }) => stop());
    },
    close: async () => {
      isClosed = true;
      await ofAll(all(), ({ close }) => close());
      await Promise.allSettled(underWay);
    },
  };
}

/** Whatever one of them does, the others are awaited. @throws what the first that failed threw */
async function ofAll<T>(tenants: readonly T[], work: (tenant: T) => Promise<void> | void): Promise<void> {
  throwFirst(await Promise.allSettled(tenants.map(async (tenant) => work(tenant))));
}

function throwFirst(settled: readonly PromiseSettledResult<unknown>[]): void {
  for (const one of settled) if (one.status === 'rejected') throw one.reason;
}

// Waits until replicas have what Redis acknowledged, where REDIS_MIN_REPLICAS asks for it.
import type { Cluster, Redis } from 'ioredis';
import type { RedisConfig } from '../../../config/redis.ts';
import { connect, disconnect, waitUntilReady } from '../connection.ts';
import {
  createSharedWait,
  NotReplicated,
  toReason,
  type Awaited,
  type SavedCompacted,
  type SavedRecord,
  type WaitFor,
} from './shared-wait.ts';

export type Replicated = {
  /**
   * Resolves once enough replicas have it. Calls that come together share a wait.
   * @throws NotReplicated, or what Redis refused
   */
  waitFor: (saved: SavedRecord | SavedCompacted) => Promise<void>;
  /** Resolves if enough replicas follow at present; for health checks. Throws as `waitFor` does. */
  probe: () => Promise<void>;
};

export type Replication = {
  /** The replicas of the node that holds the keys with this prefix. */
  of: (root: string) => Replicated;
  close: () => Promise<void>;
};

/** Where no replicas are asked for. */
export const WITHOUT_REPLICAS: Replicated = {
  waitFor: () => Promise.resolve(),
  probe: () => Promise.resolve(),
};

/** Has a connection of its own: WAIT blocks the one it is sent on. @param root prefix of keys that every tenant shares */
export async function openReplication(
  config: RedisConfig,
  root: string,
  onTrouble: (error: Error) => void,
): Promise<Replication> {
  const { minReplicas = 0 } = config;
  if (minReplicas === 0) return { of: () => WITHOUT_REPLICAS, close: () => Promise.resolve() };
  const connection = connect(config, 'vouch', onTrouble);
  await waitUntilReady(connection);
  const close = () => disconnect(connection);
  if (!connection.isCluster) {
    const shared = toReplicated(root, createSharedWait(connection as Redis, minReplicas));
    return { of: () => shared, close };
  }
  const waitOn = createWaits(minReplicas);
  return { of: (tenantRoot) => toReplicated(tenantRoot, onItsNode(connection as Cluster, tenantRoot, waitOn)), close };
}

function toReplicated(root: string, waitFor: WaitFor): Replicated {
  const wait = (what: Awaited['what']) => waitFor({ root, what });
  return {
    waitFor: wait,
    probe: () => wait(null),
  };
}

/** One wait for each node, however many tenants are on it. */
function createWaits(minReplicas: number): (node: Redis) => WaitFor {
  const waits = new WeakMap<Redis, WaitFor>();
  return (node) => {
    const known = waits.get(node) ?? createSharedWait(node, minReplicas);
    waits.set(node, known);
    return known;
  };
}

/** On the master that has the keys with this prefix, as far as the client knows: it has to ask again after an error. */
function onItsNode(cluster: Cluster, root: string, waitOn: (node: Redis) => WaitFor): WaitFor {
  let slot: Promise<number> | null = null;

  async function find(): Promise<Redis> {
    slot ??= cluster.cluster('KEYSLOT', root);
    const [address] = cluster.slots[await slot.catch(forget)] ?? [];
    const node = cluster.nodes('master').find(({ options: { host, port } }) => `${host}:${port}` === address);
    if (node) return node;
    throw new NotReplicated('the cluster has no master for this tenant at present');
  }

  function forget(error: unknown): never {
    slot = null;
    throw error;
  }

  return async (awaited) => {
    try {
      await waitOn(await find())(awaited);
    } catch (error) {
      // Commands go to the node itself, so the client does not learn from its answers that the keys are elsewhere.
      cluster.refreshSlotsCache();
      throw toReason(error);
    }
  };
}

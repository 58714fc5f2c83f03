// Waits until replicas have what Redis acknowledged, where REDIS_MIN_REPLICAS asks for it.
import type { Cluster, Redis } from 'ioredis';
import type { RedisConfig } from '../../config/redis.ts';
import { connect, disconnect, waitUntilReady } from './connection.ts';

/** A write was acknowledged by Redis, but not by enough replicas in time: a failover may lose it. */
export class NotReplicated extends Error {
  constructor(reason: string) {
    super(`not replicated: ${reason}`);
    this.name = 'NotReplicated';
  }
}

export type Replicated = {
  /**
   * Resolves once enough replicas have a record in this revision or a later one. Calls that come together share a wait.
   * @throws NotReplicated, or an error of the connection
   */
  waitFor: (record: string, revision: number) => Promise<void>;
  /** Resolves if enough replicas follow at present; for health checks. Throws as `waitFor` does. */
  probe: () => Promise<void>;
};

export type Replication = {
  /** The replicas of the node that holds the keys with this prefix. */
  of: (root: string) => Replicated;
  close: () => Promise<void>;
};

const WITHIN_MS = 1000;
const RECORDS_AT_ONCE = 200;
/** The revision is at the beginning of a record. */
const REVISION_BYTES = 12;

/** Where no replicas are asked for. */
export const WITHOUT_REPLICAS: Replicated = { waitFor: () => Promise.resolve(), probe: () => Promise.resolve() };

/**
 * Has a connection of its own: WAIT blocks the one it is sent on. It vouches only for what its own server has, so the
 * records are looked up on it first: after a failover it may be another server than the one that was written to.
 */
export async function openReplication(
  config: RedisConfig,
  root: string,
  onTrouble: (error: Error) => void,
): Promise<Replication> {
  const { minReplicas = 0 } = config;
  if (minReplicas === 0) return { of: () => WITHOUT_REPLICAS, close: () => Promise.resolve() };
  const connection = connect(config, 'vouch', onTrouble);
  await waitUntilReady(connection);
  const shared = createReplicated(() => Promise.resolve(connection as Redis), root, minReplicas);
  return {
    of: (tenantRoot) =>
      connection.isCluster
        ? createReplicated(() => nodeOf(connection as Cluster, tenantRoot), tenantRoot, minReplicas)
        : shared,
    close: () => disconnect(connection),
  };
}

/** The master that has the keys with this prefix, as far as the client knows. */
async function nodeOf(cluster: Cluster, root: string): Promise<Redis> {
  const slot = await cluster.cluster('KEYSLOT', root);
  const [address] = cluster.slots[slot] ?? [];
  const node = cluster.nodes('master').find(({ options: { host, port } }) => `${host}:${port}` === address);
  if (node) return node;
  throw new NotReplicated('the cluster has no master for this tenant at present');
}

type Waiting = {
  record: string;
  revision: number;
  resolve: (replicated: true) => void;
  reject: (reason: unknown) => void;
};

function createReplicated(node: () => Promise<Redis>, root: string, minReplicas: number): Replicated {
  const waiting: Waiting[] = [];
  let isAsking = false;

  async function flush(): Promise<void> {
    if (isAsking) return;
    isAsking = true;
    while (waiting.length > 0) await ask(waiting.splice(0, RECORDS_AT_ONCE));
    isAsking = false;
  }

  async function ask(entries: readonly Waiting[]): Promise<void> {
    try {
      const revisions = await vouch(await node(), root, { records: entries.map(({ record }) => record), minReplicas });
      entries.forEach(({ revision, resolve, reject }, index) => {
        if ((revisions[index] ?? -1) >= revision) resolve(true);
        else reject(new NotReplicated('the server that answers now does not have it'));
      });
    } catch (error) {
      for (const { reject } of entries) reject(error);
    }
  }

  return {
    waitFor: (record, revision) => {
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      waiting.push({ record, revision, resolve, reject });
      if (waiting.length === 1) setImmediate(() => void flush());
      return promise.then(() => undefined);
    },
    probe: async () => {
      await vouch(await node(), root, { records: [], minReplicas });
    },
  };
}

type Vouched = { records: readonly string[]; minReplicas: number };

/**
 * One exchange on one connection: what the server has, a write after that, and the wait for replicas to have that write.
 * @returns the revision of each record, -1 for one that is not there
 */
async function vouch(node: Redis, root: string, { records, minReplicas }: Vouched): Promise<number[]> {
  const exchange = node.pipeline();
  for (const record of records) exchange.getrange(record, 0, REVISION_BYTES);
  exchange.set(`${root}:vouched`, '1');
  exchange.wait(minReplicas, WITHIN_MS);
  const replies = (await exchange.exec()) ?? [];
  const values = replies.map(([error, value]) => {
    if (error) throw error;
    return value;
  });
  const replicas = Number(values.at(-1) ?? 0);
  if (values.length < records.length + 2 || replicas < minReplicas)
    throw new NotReplicated(`${replicas} of ${minReplicas} replicas have it after ${WITHIN_MS} ms`);
  return values.slice(0, records.length).map((header) => toRevision(String(header)));
}

function toRevision(header: string): number {
  const [revision] = header.split(' ');
  return revision === undefined || revision === '' ? -1 : Number(revision);
}

// Waits until replicas have what Redis acknowledged, where REDIS_MIN_REPLICAS asks for it.
import type { Cluster, Redis } from 'ioredis';
import type { RedisConfig } from '../../../config/redis.ts';
import { countNeeded, parsePresent, parseSeen, toSeenText, type Seen } from './replicas-seen.ts';
import { connect, disconnect, waitUntilReady } from '../connection.ts';
import { isRefused } from '../redis-errors.ts';
import { scriptText } from '../script.ts';

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
   * @throws NotReplicated, or what Redis refused
   */
  waitFor: (record: string, revision: number) => Promise<void>;
  /** The same for what is left of a delivered run once its details are dropped. @param root prefix of the tenant's keys */
  waitForCompacted: (root: string, id: string) => Promise<void>;
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

const FIND_COMPACTED = scriptText('store/find-compacted');

/** Where no replicas are asked for. */
export const WITHOUT_REPLICAS: Replicated = {
  waitFor: () => Promise.resolve(),
  waitForCompacted: () => Promise.resolve(),
  probe: () => Promise.resolve(),
};

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
  const single = { find: () => Promise.resolve(connection as Redis), onError: () => undefined };
  const shared = createReplicated(single, root, minReplicas);
  return {
    of: (tenantRoot) =>
      connection.isCluster
        ? createReplicated(createNodeFinder(connection as Cluster, tenantRoot), tenantRoot, minReplicas)
        : shared,
    close: () => disconnect(connection),
  };
}

/** The master that has the keys with this prefix, as far as the client knows: it has to ask again after an error. */
function createNodeFinder(cluster: Cluster, root: string): FindNode {
  let slot: Promise<number> | null = null;
  return {
    find: async () => {
      slot ??= cluster.cluster('KEYSLOT', root);
      const [address] = cluster.slots[await slot.catch(forget)] ?? [];
      const node = cluster.nodes('master').find(({ options: { host, port } }) => `${host}:${port}` === address);
      if (node) return node;
      throw new NotReplicated('the cluster has no master for this tenant at present');
    },
    // Commands go to the node itself, so the client does not learn from its answers that the keys are elsewhere.
    onError: () => cluster.refreshSlotsCache(),
  };

  function forget(error: unknown): never {
    slot = null;
    throw error;
  }
}

type FindNode = { find: () => Promise<Redis>; onError: () => void };

/** A record in a revision or a later one, or what is left of a delivery under the keys with this prefix. */
type Awaited = { record: string; revision: number } | { compacted: string; root: string };

type Waiting = {
  /** Null for a probe, which shares the wait as well: on one connection each wait holds up all that follow. */
  awaited: Awaited | null;
  resolve: (replicated: true) => void;
  reject: (reason: unknown) => void;
};

function createReplicated(node: FindNode, root: string, minReplicas: number): Replicated {
  const waiting: Waiting[] = [];
  const vouch = createVouch(node, root, minReplicas);
  let isAsking = false;

  async function flush(): Promise<void> {
    if (isAsking) return;
    isAsking = true;
    while (waiting.length > 0) await ask(waiting.splice(0, RECORDS_AT_ONCE));
    isAsking = false;
  }

  async function ask(entries: readonly Waiting[]): Promise<void> {
    try {
      const all = entries.flatMap(({ awaited }) => awaited ?? []);
      const areThere = await vouch(all).catch(asNotReplicated);
      const isThere = new Map(all.map((awaited, index) => [awaited, areThere[index]]));
      entries.forEach(({ awaited, resolve, reject }) => {
        if (awaited === null || isThere.get(awaited)) resolve(true);
        else reject(new NotReplicated('the server that answers now does not have it'));
      });
    } catch (error) {
      for (const { reject } of entries) reject(error);
    }
  }

  function waitFor(awaited: Awaited | null): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    waiting.push({ awaited, resolve, reject });
    if (waiting.length === 1) setImmediate(() => void flush());
    return promise.then(() => undefined);
  }

  return {
    waitFor: (record, revision) => waitFor({ record, revision }),
    waitForCompacted: (tenantRoot, id) => waitFor({ compacted: id, root: tenantRoot }),
    probe: () => waitFor(null),
  };
}

/** Without an answer nobody vouches. What Redis itself refuses is passed on: it says why. */
function asNotReplicated(error: unknown): never {
  if (error instanceof NotReplicated || isRefused(error)) throw error;
  throw new NotReplicated(error instanceof Error ? error.message : 'no answer');
}

/** @returns of each whether it is there. @throws NotReplicated if too few replicas have them */
type Vouch = (awaited: readonly Awaited[]) => Promise<boolean[]>;

type Exchange = { areThere: boolean[]; replicas: number; needed: number; seen: Seen | null; wasSeen: Seen | null };

function createVouch({ find, onError }: FindNode, root: string, minReplicas: number): Vouch {
  const seenKey = `${root}:replicas`;
  let expected = minReplicas;

  /**
   * On one connection: what the server has, who follows it, a write after that, and the wait for replicas to have that write.
   * Without the right to INFO, only the number asked for counts.
   */
  async function exchange(redis: Redis, awaited: readonly Awaited[], waitedFor: number): Promise<Exchange> {
    const commands = redis.pipeline();
    for (const one of awaited) {
      if ('record' in one) commands.getrange(one.record, 0, REVISION_BYTES);
      else commands.call('EVAL', FIND_COMPACTED, 1, one.root, one.root, one.compacted);
    }
    commands.get(seenKey).time().info('replication').set(`${root}:vouched`, '1').wait(waitedFor, WITHIN_MS);
    const replies = (await commands.exec()) ?? [];
    const [seenReply, time, info, written, waited] = replies.slice(awaited.length);
    for (const reply of [...replies.slice(0, awaited.length), seenReply, time, written, waited]) {
      if (!reply) throw new NotReplicated('the connection was lost');
      if (reply[0]) throw reply[0];
    }
    const [seconds, micros] = time?.[1] as [string, string];
    const at = Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
    const wasSeen = parseSeen(seenReply?.[1] as string | null);
    const { needed, seen } = info?.[0]
      ? { needed: minReplicas, seen: null }
      : countNeeded(wasSeen, parsePresent(String(info?.[1]), at), minReplicas);
    const areThere = awaited.map((one, index) => isThere(one, replies[index]?.[1]));
    return { areThere, replicas: Number(waited?.[1]), needed, seen, wasSeen };
  }

  const vouch: Vouch = async (awaited) => {
    const redis = await find();
    for (;;) {
      const waitedFor = expected;
      const { areThere, replicas, needed, seen, wasSeen } = await exchange(redis, awaited, waitedFor);
      const isNews = seen && (!wasSeen || toSeenText(seen) !== toSeenText(wasSeen));
      if (isNews) await redis.set(seenKey, toSeenText(seen));
      // Also when there are fewer than before: a wait for one that is gone would last until its time is up, at each call.
      expected = needed;
      if (replicas >= needed) return areThere;
      if (replicas < waitedFor || needed <= waitedFor)
        throw new NotReplicated(`${replicas} of ${needed} replicas have it after ${WITHIN_MS} ms`);
      // It waited for fewer than there are: once more.
    }
  };
  return (awaited) =>
    vouch(awaited).catch((error: unknown) => {
      onError();
      throw error;
    });
}

/** @param reply the beginning of its record, or the entry that is left of it */
function isThere(awaited: Awaited, reply: unknown): boolean {
  return 'record' in awaited ? toRevision(String(reply)) >= awaited.revision : typeof reply === 'string';
}

function toRevision(header: string): number {
  const [revision] = header.split(' ');
  return revision === undefined || revision === '' ? -1 : Number(revision);
}

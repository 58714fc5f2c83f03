// Redis behind Sentinel and as a Cluster, of real servers: how its primaries, replicas and sentinels are killed, paused and replaced.
import type { ChildProcess } from 'node:child_process';
import { appendFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createRedisServers, freeRedisPort, type RedisServers } from '../support/redis-servers.ts';
import { until } from '../support/until.ts';
import { comingFrom, nodeAddress, partyAddress, sentinelAddress } from './hosts.ts';
import { createNetwork, type Network } from './network.ts';
import type { Disturbance, Party } from './plan.ts';
import { createAccess, deniedIn, type Access, type AccessSettings } from './redis-access.ts';
import type { RedisBehind } from './redis-behind.ts';

/** A server of the topology, whatever its role is at present; all but the campaign reach it at its address. */
type Node = { name: string; address: string; port: number; process: ChildProcess };

const NODE_LINES = ['appendonly yes', 'appendfsync always', 'save ""', 'repl-diskless-sync-delay 0'];
const REPLICAS = 2;
const SENTINELS = 3;
const MASTERS = 3;
/** The port of a node's bus is so much above its own. */
const BUS = 10_000;
/** After a failover the replaced server has to copy everything. */
const WELL_WITHIN_MS = 90_000;
const LOOK_EVERY_MS = 100;
const SERVICE_SETTINGS = {
  /** What a submission waits for; the campaign has one replica that is not disturbed at any moment. */
  REDIS_MIN_REPLICAS: '1',
  /** Failovers one after the other may refuse a device that comes again every moment for longer than its rate allows. */
  DEVICE_RATE_PER_MIN: '0',
};

/** The directory is the run's, for the servers' logs and data. */
type TopologySettings = Access & { directory: string };

/** What the servers of a topology have in common. */
type Ground = { directory: string; servers: RedisServers; network: Network; access: AccessSettings };

async function prepare({ directory, ...access }: TopologySettings, kind: 'sentinel' | 'cluster'): Promise<Ground> {
  const settings = createAccess(access, kind);
  const servers = await createRedisServers(settings.secured, directory);
  return { directory, servers, network: createNetwork(), access: settings };
}

/** @param toLines what makes it one of the topology, besides what all nodes have */
async function startNode(
  { servers, network, access }: Ground,
  number: number,
  toLines: (port: number) => readonly string[],
): Promise<Node> {
  const [name, address, port] = [`node-${number}`, nodeAddress(number), await freeRedisPort()];
  await network.open(address, port);
  const lines = [
    ...NODE_LINES,
    `appenddirname ${name}`,
    `bind-source-addr ${address}`,
    ...access.nodeLines,
    ...toLines(port),
  ];
  return { name, address, port, process: await servers.start(name, port, { lines }) };
}

/** Only one at a time is disturbed, and only while all is well: two at once may lose what one of them alone had. */
function createTurns({ isWell, note }: { isWell: () => Promise<boolean>; note: (what: string) => Promise<void> }) {
  let turn: Promise<unknown> = Promise.resolve();
  const look = async () => (await isWell()) || delay(LOOK_EVERY_MS, false);
  const untilWell = () => until('Redis is as it should be', look, WELL_WITHIN_MS);
  return {
    untilWell,
    /** @param act begins it, and returns what ends it */
    take: (act: (party: Party) => Promise<() => unknown>) => {
      const taken = new Map<Disturbance, Promise<void>>();
      return {
        begin: (party: Party, disturbance: Disturbance) => {
          const whole = turn.then(async () => {
            await untilWell();
            await note(`${disturbance.kind} begins`);
            const end = await act(party);
            await delay(disturbance.forMs);
            await end();
            await note(`${disturbance.kind} ended`);
          });
          turn = whole.catch(() => undefined);
          taken.set(disturbance, whole);
        },
        end: (_party: Party, disturbance: Disturbance) => taken.get(disturbance),
      };
    },
    /** Resolves once nothing is disturbed. */
    done: async () => {
      await turn;
      await untilWell();
    },
  };
}

/** Kills a server, and starts it again with the data and settings it had. */
async function kill(servers: RedisServers, node: Node): Promise<() => Promise<void>> {
  await servers.kill(node.process);
  return async () => {
    node.process = await servers.startAgain(node.name, node.port);
  };
}

/** Stops a server: to all others it is as if it were cut off, and it comes back believing what it did before. */
function pause(node: Node): Promise<() => void> {
  node.process.kill('SIGSTOP');
  return Promise.resolve(() => void node.process.kill('SIGCONT'));
}

/** It goes on running, and so does the process beside it, but nobody else reaches either of them. */
function cutOff(network: Network, node: Node, party: Party | null): Promise<() => void> {
  network.part([node.address, ...(party === null ? [] : [partyAddress(party)])]);
  return Promise.resolve(network.heal);
}

type Topology = {
  ground: Ground;
  nodes: readonly Node[];
  isWell: () => Promise<boolean>;
  environment: Record<string, string>;
  ways: (turns: ReturnType<typeof createTurns>) => NonNullable<RedisBehind['ways']>;
};

async function toRedisBehind({ ground, nodes, isWell, environment, ways }: Topology): Promise<RedisBehind> {
  const { directory, servers, network, access } = ground;
  const killAll = () => nodes.forEach(({ process: server }) => server.kill('SIGKILL'));
  process.once('exit', killAll);
  /** What every server says of its role and of how far it is, for whoever looks into a violation. */
  async function note(what: string): Promise<void> {
    const said = nodes.map(async ({ name, port }) => {
      const info = await servers.ask(port, 'INFO', 'replication').catch(() => '');
      const lines = info
        .split('\r\n')
        .filter((line) => /^(role|slave\d|master_(replid|repl_offset|link_status))/.test(line));
      return `  ${name} ${lines.join(' ')}\n`;
    });
    const at = new Date().toISOString();
    await appendFile(join(directory, 'topology.log'), `${at} ${what}\n${(await Promise.all(said)).join('')}`);
  }

  const turns = createTurns({ isWell, note });
  await turns.untilWell();
  return {
    environment: (_port, party) => ({
      ...environment,
      ...access.environment,
      ...SERVICE_SETTINGS,
      ...comingFrom(partyAddress(party)),
    }),
    caPem: servers.caPem,
    connect: () => connect(nodes[0]?.port ?? 0),
    signal: (name) => {
      if (name === 'SIGCONT') for (const node of nodes) node.process.kill(name);
    },
    kill: () => Promise.resolve(),
    start: () => Promise.resolve(),
    forgetScripts: () => Promise.resolve(),
    promote: () => Promise.resolve(),
    ways: ways(turns),
    mend: turns.done,
    surprises: [],
    leftovers: async () => {
      if (!access.secured) return [];
      const logs = await Promise.all(nodes.map(({ port }) => servers.cli(port, 'ACL', 'LOG')));
      return [...new Set(logs.flatMap(deniedIn))].map((command) => `Redis refused the user ${command}`);
    },
    close: async () => {
      for (const { process: server } of nodes) server.kill('SIGCONT');
      await servers.close();
      await network.close();
      process.off('exit', killAll);
    },
  };
}

const SERVICE = 'runs';

/** Three sentinels, a primary and two replicas. */
export async function openSentinelRedis(settings: TopologySettings): Promise<RedisBehind> {
  const ground = await prepare(settings, 'sentinel');
  const { servers, network, access } = ground;
  const nodes: Node[] = [];
  for (let number = 1; number <= 1 + REPLICAS; number += 1) {
    const [primary] = nodes;
    const node = await startNode(ground, number, (port) => [
      `replica-announce-ip ${nodeAddress(number)}`,
      `replica-announce-port ${port}`,
      ...(primary ? [`replicaof ${primary.address} ${primary.port}`] : []),
    ]);
    nodes.push(node);
  }
  const firstPort = nodes[0]?.port ?? 0;
  const sentinels: Node[] = [];
  for (let number = 1; number <= SENTINELS; number += 1) {
    const [name, address, port] = [`sentinel-${number}`, sentinelAddress(number), await freeRedisPort()];
    await network.open(address, port);
    const lines = [
      `bind-source-addr ${address}`,
      `sentinel announce-ip ${address}`,
      `sentinel announce-port ${port}`,
      `sentinel monitor ${SERVICE} ${nodeAddress(1)} ${firstPort} 2`,
      `sentinel down-after-milliseconds ${SERVICE} 1000`,
      `sentinel failover-timeout ${SERVICE} 4000`,
      `sentinel parallel-syncs ${SERVICE} ${REPLICAS}`,
      ...access.sentinelLines(SERVICE),
    ];
    sentinels.push({ name, address, port, process: await servers.start(name, port, { lines, args: ['--sentinel'] }) });
  }

  /** As the first sentinel that answers says. */
  async function findPrimary(): Promise<Node> {
    for (const { port } of sentinels) {
      const said = await servers.ask(port, 'SENTINEL', 'GET-MASTER-ADDR-BY-NAME', SERVICE).catch(() => '');
      const found = nodes.find((node) => String(node.port) === said.split('\n')[1]);
      if (found) return found;
    }
    throw new Error('no sentinel knows the primary');
  }

  const findReplica = async () => {
    const primary = await findPrimary();
    return nodes.find((node) => node !== primary) ?? primary;
  };

  async function isWell(): Promise<boolean> {
    const primary = await findPrimary();
    const info = await servers.ask(primary.port, 'INFO', 'replication').catch(() => '');
    if (!info.includes('role:master') || (info.match(/state=online/g)?.length ?? 0) < REPLICAS) return false;
    const copies = nodes.filter((node) => node !== primary).map(({ port }) => isCopy(servers, port));
    return (await Promise.all(copies)).every(Boolean);
  }

  return toRedisBehind({
    ground,
    nodes: [...nodes, ...sentinels],
    isWell: () => isWell().catch(() => false),
    environment: {
      REDIS_SENTINELS: sentinels.map(({ address, port }) => `${address}:${port}`).join(),
      REDIS_SENTINEL_NAME: SERVICE,
    },
    ways: ({ take }) => ({
      'primary-kill': take(async () => kill(servers, await findPrimary())),
      'primary-pause': take(async () => pause(await findPrimary())),
      'primary-cut-off': take(async (party) => cutOff(network, await findPrimary(), party)),
      'replica-kill': take(async () => kill(servers, await findReplica())),
      'replica-pause': take(async () => pause(await findReplica())),
      'replica-cut-off': take(async () => cutOff(network, await findReplica(), null)),
      failover: take(async () => {
        await servers.cli(sentinels[0]?.port ?? 0, 'SENTINEL', 'FAILOVER', SERVICE);
        return () => undefined;
      }),
      'sentinel-pause': take((party) => {
        const sentinel = sentinels[party === 'api' ? 0 : 1];
        if (!sentinel) throw new Error('there is no such sentinel');
        return pause(sentinel);
      }),
    }),
  });
}

/** Whether a replica follows, and keeps what it copied on disk. */
async function isCopy(servers: RedisServers, port: number): Promise<boolean> {
  const [copy, disk] = await Promise.all([
    servers.ask(port, 'INFO', 'replication'),
    servers.ask(port, 'INFO', 'persistence'),
  ]);
  const isOnDisk = /aof_rewrite_in_progress:0[^]*aof_rewrite_scheduled:0/.test(disk);
  return copy.includes('role:slave') && copy.includes('master_link_status:up') && isOnDisk;
}

/** What of the bridge may be on different masters. */
const ROOTS = ['runstate:{default}', 'runstate:{_jobs}'] as const;

/** Three masters with a replica each. */
export async function openClusterRedis(settings: TopologySettings): Promise<RedisBehind> {
  const ground = await prepare(settings, 'cluster');
  const { servers, network, access } = ground;
  const nodes: Node[] = [];
  for (let number = 1; number <= 2 * MASTERS; number += 1) {
    const node = await startNode(ground, number, () => [
      'cluster-enabled yes',
      `cluster-config-file cluster-${number}.conf`,
      'cluster-node-timeout 1500',
      `cluster-announce-ip ${nodeAddress(number)}`,
    ]);
    await network.open(node.address, node.port + BUS);
    nodes.push(node);
  }
  await servers.cluster(
    nodes.map(({ port }) => port),
    1,
  );

  const slotOf = async (root: string) => Number(await servers.cli(nodes[0]?.port ?? 0, 'CLUSTER', 'KEYSLOT', root));
  const slots = await Promise.all(ROOTS.map(slotOf));

  /** As the first server that answers sees it. */
  async function readView(): Promise<Member[]> {
    for (const { port, process: server } of nodes) {
      if (server.exitCode !== null || server.signalCode !== null) continue;
      const text = await servers.ask(port, 'CLUSTER', 'NODES').catch(() => '');
      if (text.includes('myself')) return parseMembers(text, nodes);
    }
    throw new Error('no server of the cluster answers');
  }

  async function findMaster(party: Party): Promise<{ master: Member; slot: number; view: Member[] }> {
    const view = await readView();
    // The jobs are on a master of their own, or on that of the tenant.
    const slot = slots[party === 'api' ? 1 : 0] ?? 0;
    const master = view.find(
      ({ isMaster, ranges }) => isMaster && ranges.some(([from, to]) => from <= slot && slot <= to),
    );
    if (!master) throw new Error(`no master has slot ${slot}`);
    return { master, slot, view };
  }

  const findReplica = async (party: Party) => {
    const { master, view } = await findMaster(party);
    const replica = view.find(({ masterId }) => masterId === master.id);
    if (!replica) throw new Error('the master has no replica');
    return replica.node;
  };

  async function isWell(): Promise<boolean> {
    const states = await Promise.all(nodes.map(({ port }) => servers.ask(port, 'CLUSTER', 'INFO')));
    if (!states.every((state) => state.includes('cluster_state:ok'))) return false;
    const view = await readView();
    const masters = view.filter(({ isMaster, ranges }) => isMaster && ranges.length > 0);
    const replicas = view.filter(({ isMaster }) => !isMaster);
    if (view.some(({ isFailing }) => isFailing) || masters.length !== MASTERS || replicas.length !== MASTERS)
      return false;
    return (await Promise.all(replicas.map(({ node }) => isCopy(servers, node.port)))).every(Boolean);
  }

  /** All keys of the slot go in one step: a script must never meet a part of them. */
  async function moveSlot(party: Party): Promise<() => void> {
    const { master, slot, view } = await findMaster(party);
    const target = view.find(({ isMaster, id }) => isMaster && id !== master.id);
    if (!target) throw new Error('there is no other master');
    const [from, to] = [master.node.port, target.node.port];
    await servers.cli(to, 'CLUSTER', 'SETSLOT', String(slot), 'IMPORTING', master.id);
    await servers.cli(from, 'CLUSTER', 'SETSLOT', String(slot), 'MIGRATING', target.id);
    const keys = (await servers.cli(from, 'CLUSTER', 'GETKEYSINSLOT', String(slot), '100000'))
      .split('\n')
      .filter(Boolean);
    const auth = access.secured ? ['AUTH', access.secured.password] : [];
    const migrate = ['MIGRATE', '127.0.0.1', String(to), '', '0', '5000', ...auth];
    if (keys.length > 0) await servers.cli(from, ...migrate, 'KEYS', ...keys);
    for (const port of [to, from]) await servers.cli(port, 'CLUSTER', 'SETSLOT', String(slot), 'NODE', target.id);
    return () => undefined;
  }

  return toRedisBehind({
    ground,
    nodes,
    isWell: () => isWell().catch(() => false),
    environment: { REDIS_CLUSTER: nodes.map(({ address, port }) => `${address}:${port}`).join() },
    ways: ({ take }) => ({
      'primary-kill': take(async (party) => kill(servers, (await findMaster(party)).master.node)),
      'primary-pause': take(async (party) => pause((await findMaster(party)).master.node)),
      'primary-cut-off': take(async (party) => cutOff(network, (await findMaster(party)).master.node, party)),
      'replica-kill': take(async (party) => kill(servers, await findReplica(party))),
      'replica-pause': take(async (party) => pause(await findReplica(party))),
      'replica-cut-off': take(async (party) => cutOff(network, await findReplica(party), null)),
      failover: take(async (party) => {
        await servers.cli((await findReplica(party)).port, 'CLUSTER', 'FAILOVER');
        return () => undefined;
      }),
      'slot-move': take(moveSlot),
    }),
  });
}

type Member = {
  id: string;
  node: Node;
  isMaster: boolean;
  isFailing: boolean;
  masterId: string;
  ranges: [from: number, to: number][];
};

/** Lines of CLUSTER NODES. */
function parseMembers(text: string, nodes: readonly Node[]): Member[] {
  return text
    .trim()
    .split('\n')
    .flatMap((line) => {
      const [id = '', address = '', flags = '', masterId = '', , , , link = '', ...slots] = line.split(' ');
      const port = Number(/:(\d+)@/.exec(address)?.[1]);
      const node = nodes.find((one) => one.port === port);
      if (!node) return [];
      const ranges = slots.flatMap((range): [number, number][] => {
        const [, from, to] = /^(\d+)(?:-(\d+))?$/.exec(range) ?? [];
        return from === undefined ? [] : [[Number(from), Number(to ?? from)]];
      });
      const isFailing = /fail|handshake|noaddr/.test(flags) || (link !== 'connected' && !flags.includes('myself'));
      return [{ id, node, isMaster: flags.includes('master'), isFailing, masterId, ranges }];
    });
}

// Several redis-servers on ports, for Sentinel and Cluster, optionally with a password and TLS.
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { createTlsMaterial } from '../../src/sandbox/server/certificates.ts';
import { createAuthority } from './certificates.ts';
import { trustedTlsDirectory } from './graph.ts';
import { REDIS_CLI, REDIS_SERVER } from './redis-programs.ts';
import { until } from './until.ts';

const run = promisify(execFile);
const ASKED_WITHIN_MS = 2000;

/** Lines of its configuration file, besides port and directory; and arguments of its command. */
type ServerSettings = { lines: readonly string[]; args?: readonly string[] };

export type RedisServers = {
  start: (name: string, port: number, settings: ServerSettings) => Promise<ChildProcess>;
  /** Starts one again with its configuration as it has become: Sentinel has servers write their new role into it. */
  startAgain: (name: string, port: number) => Promise<ChildProcess>;
  /** The output of redis-cli, run as the administrator. */
  cli: (port: number, ...command: string[]) => Promise<string>;
  /** The same on a connection that is kept, for what is asked again and again: a program costs a hundred times as much. */
  ask: (port: number, command: string, ...args: string[]) => Promise<string>;
  /** Creates a cluster of the servers on these ports. @param replicas of each master */
  cluster: (ports: readonly number[], replicas?: number) => Promise<void>;
  /** What its clients have to trust; null without TLS. */
  caPem: string | null;
  kill: (server: ChildProcess) => Promise<void>;
  close: () => Promise<void>;
};

export type Secured = {
  /** An administrator's, for all servers. */
  password: string;
  /** Whether they use only TLS. */
  tls: boolean;
  /** What their certificate is for, besides 127.0.0.1. */
  hosts?: readonly string[];
  /** Signs their certificate with an authority of their own instead of the one that the tests trust. */
  hasOwnAuthority?: boolean;
};

/** @param keptIn where their logs and data stay after they are closed */
export async function createRedisServers(secured?: Secured, keptIn?: string): Promise<RedisServers> {
  const directory = await mkdtemp(join(keptIn ?? tmpdir(), 'runstate-servers-'));
  const servers: ChildProcess[] = [];
  const tls = secured?.tls ? await writeTls(directory, secured) : null;
  const access = [
    ...(secured ? ['--user', 'default', '--pass', secured.password, '--no-auth-warning'] : []),
    ...(tls ? ['--tls', '--cacert', tls.caPath] : []),
  ];

  const redisCli = async (...args: string[]) => (await run(REDIS_CLI, [...access, ...args])).stdout;
  const cli = (port: number, ...command: string[]) => redisCli('-p', String(port), ...command);

  const clients = new Map<number, Redis>();

  async function ask(port: number, command: string, ...args: string[]): Promise<string> {
    let client = clients.get(port);
    if (!client || client.status === 'end') {
      client = new Redis(port, '127.0.0.1', {
        ...(secured && { password: secured.password }),
        ...(tls && { tls: { ca: tls.caPem } }),
        enableReadyCheck: false,
        commandTimeout: ASKED_WITHIN_MS,
        retryStrategy: () => null,
      });
      client.on('error', () => undefined);
      clients.set(port, client);
    }
    const answer = await client.call(command, ...args);
    return Array.isArray(answer) ? answer.join('\n') : String(answer);
  }

  async function start(name: string, port: number, { lines, args = [] }: ServerSettings): Promise<ChildProcess> {
    const file = join(directory, `${name}.conf`);
    const listening = tls ? ['port 0', `tls-port ${port}`, ...tls.lines] : [`port ${port}`];
    const passwords = secured ? [`requirepass ${secured.password}`] : [];
    await writeFile(
      file,
      [...listening, 'bind 127.0.0.1', `dir ${directory}`, `logfile ${name}.log`, ...passwords, ...lines, ''].join(
        '\n',
      ),
    );
    return launch(name, port, args);
  }

  async function launch(name: string, port: number, args: readonly string[] = []): Promise<ChildProcess> {
    const file = join(directory, `${name}.conf`);
    const server = spawn(REDIS_SERVER, [file, ...args], { stdio: 'ignore' });
    servers.push(server);
    await until(`${name} answers`, () =>
      ask(port, 'PING').then(
        (answer) => answer.includes('PONG'),
        () => false,
      ),
    );
    return server;
  }

  return {
    start,
    startAgain: (name, port) => launch(name, port),
    cli,
    ask,
    kill,
    caPem: tls?.caPem ?? null,
    cluster: async (ports, replicas = 0) => {
      const addresses = ports.map((port) => `127.0.0.1:${port}`);
      await redisCli('--cluster', 'create', ...addresses, '--cluster-replicas', String(replicas), '--cluster-yes');
      await until('the cluster agrees', async () =>
        (await Promise.all(ports.map((port) => cli(port, 'CLUSTER', 'INFO')))).every((info) =>
          info.includes('cluster_state:ok'),
        ),
      );
    },
    close: async () => {
      for (const client of clients.values()) client.disconnect();
      await Promise.all(servers.map(kill));
      if (keptIn === undefined) await rm(directory, { recursive: true, force: true });
    },
  };
}

async function kill(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const gone = once(server, 'exit');
  server.kill('SIGKILL');
  await gone;
}

/** A certificate trusted by the tests' processes, and a client certificate for the cluster nodes among themselves. */
async function writeTls(directory: string, { hosts = [], hasOwnAuthority = false }: Secured) {
  const authority = hasOwnAuthority ? directory : trustedTlsDirectory();
  const material = await createTlsMaterial(authority, ['127.0.0.1', ...hosts]);
  const { caPath, caPem, certificatePem, privateKeyPem } = material;
  const nodes = await createAuthority();
  const client = await nodes.issue();
  const write = async (name: string, text: string) => {
    const file = join(directory, name);
    await writeFile(file, text, { mode: 0o600 });
    return file;
  };
  const lines = [
    `tls-cert-file ${await write('server.pem', certificatePem)}`,
    `tls-key-file ${await write('server-key.pem', privateKeyPem)}`,
    `tls-client-cert-file ${await write('client.pem', client.pem)}`,
    `tls-client-key-file ${await write('client-key.pem', client.keyPem)}`,
    `tls-ca-cert-file ${await write('peers-ca.pem', `${caPem}${nodes.pem}`)}`,
    'tls-auth-clients no',
    'tls-replication yes',
    'tls-cluster yes',
  ];
  return { caPath, caPem, lines };
}

export async function freeRedisPort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  // A cluster node's bus uses the port 10,000 above.
  return port < 50_000 ? port : freeRedisPort();
}

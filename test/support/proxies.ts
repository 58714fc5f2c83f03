// A real nginx or HAProxy in front of a test's bridge: its configuration, a directory of its own, gone afterwards.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { freePort } from './graph.ts';
import { until } from './until.ts';

export type Proxy = { port: number; url: string; said: () => string; close: () => Promise<void> };

/** Debian keeps servers where only root's PATH leads. */
const PLACES = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];

/** The path of a program; null where this machine has none. */
function programPath(name: string): string | null {
  const isThere = (path: string) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  };
  return PLACES.map((place) => join(place, name)).find(isThere) ?? null;
}

const NGINX = programPath('nginx');
const HAPROXY = programPath('haproxy');

/** Which of the two are here; whoever is not is skipped by name. */
export const PROXIES = { nginx: NGINX !== null, haproxy: HAPROXY !== null };

/** A title that says why its tests are skipped, where they are. */
export const titled = (name: keyof typeof PROXIES, title: string): string =>
  PROXIES[name] ? `${name}: ${title}` : `${name}: ${title} – skipped, ${name} is not installed`;

/**
 * @param http what stands in its http block, given the port to listen on and its directory
 * @param files written there first, by name
 */
export async function startNginx(
  http: (port: number, directory: string) => string,
  files: Record<string, string> = {},
): Promise<Proxy> {
  return start(NGINX, files, (port, directory) => ({
    config: [
      `daemon off; master_process off; error_log stderr warn; pid ${directory}/pid; worker_rlimit_nofile 1024;`,
      'events { worker_connections 512; }',
      `http { access_log off; ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
        .map((name) => `${name}_temp_path ${directory}/${name};`)
        .join(' ')}`,
      http(port, directory),
      '}',
    ].join('\n'),
    args: (file) => ['-p', directory, '-c', file, '-e', 'stderr'],
  }));
}

/** @param sections what stands behind its global and defaults sections */
export async function startHaproxy(
  sections: (port: number, directory: string) => string,
  files: Record<string, string> = {},
): Promise<Proxy> {
  return start(HAPROXY, files, (port, directory) => ({
    config: [
      'global',
      '  maxconn 500',
      'defaults',
      '  mode http',
      '  timeout connect 2s',
      '  timeout client 60s',
      '  timeout server 60s',
      sections(port, directory),
      '',
    ].join('\n'),
    args: (file) => ['-db', '-f', file],
  }));
}

async function start(
  program: string | null,
  files: Record<string, string>,
  make: (port: number, directory: string) => { config: string; args: (file: string) => string[] },
): Promise<Proxy> {
  if (program === null) throw new Error('this proxy is not installed');
  const directory = await mkdtemp(join(tmpdir(), 'runstate-proxy-'));
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
  const port = await freePort();
  const { config, args } = make(port, directory);
  const file = join(directory, 'proxy.conf');
  await writeFile(file, config);
  const child = spawn(program, args(file), { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => void (said += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => void (said += chunk));
  const ended = once(child, 'close');
  const close = async () => {
    child.kill('SIGKILL');
    await ended;
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await until('the proxy listens', () => {
      if (child.exitCode !== null) throw new Error(`the proxy ended: ${said}`);
      return accepts(port);
    });
  } catch (error) {
    await close();
    throw error;
  }
  return { port, url: `http://127.0.0.1:${port}`, said: () => said, close };
}

/** Whether anybody listens there. */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

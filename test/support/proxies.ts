// A real nginx or HAProxy in front of a test's bridge, with its own configuration and directory, removed afterwards.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { freePort } from './free-port.ts';
import { until } from './until.ts';

export type Proxy = { port: number; url: string; said: () => string; close: () => Promise<void> };

/** Debian installs servers in directories that are only on root's PATH. */
const PLACES = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];

/** The path of a program; null if this machine does not have it. */
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

/** Which of the two are installed; tests of a missing one are skipped by name. */
export const PROXIES = { nginx: NGINX !== null, haproxy: HAPROXY !== null };

/** A test title that includes the reason if its tests are skipped. */
export const titled = (name: keyof typeof PROXIES, title: string): string =>
  PROXIES[name] ? `${name}: ${title}` : `${name}: ${title} – skipped, ${name} is not installed`;

/**
 * @param http content of the http block, given the port to listen on and the directory
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

/** @param sections configuration after the global and defaults sections */
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

/** Whether something listens there. */
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

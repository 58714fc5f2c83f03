// The addresses of `move`: one server or any of a Cluster, a socket, or sentinels; and their names in words.
import { readFileSync } from 'node:fs';
import { parseRedisUrl, type Address, type RedisAccess, type RedisConfig } from '../../config/redis.ts';
import { toSecret } from '../../config/secret.ts';
import { EXIT } from '../exit.ts';
import { OperatorError } from '../operator/operator.ts';

type Given = {
  /** The option, for messages. */
  option: string;
  url: string;
  /** A file with the password, which others on the machine would see on the command line. */
  passwordFile?: string | undefined;
  /** The variable with the password, if there is no file. */
  variable: string;
  prefix: string;
};

const SENTINEL = /^(rediss?)\+sentinel:\/\/(?:([^@/]*)@)?([^@/]+)\/([^/?#]+)$/;

/** @throws OperatorError if the address or the password cannot be used */
export function toRedisConfig(given: Given): RedisConfig {
  const { url, prefix, option } = given;
  const password = readPassword(given);
  const sentinel = SENTINEL.exec(url);
  if (sentinel) {
    const [, scheme, access = '', servers = '', name = ''] = sentinel;
    const [username = '', ...own] = access.split(':').map(decodeURIComponent);
    return {
      kind: 'sentinel',
      sentinels: servers.split(',').map((server) => toAddress(option, server)),
      name,
      prefix,
      access: { username: username || null, password: toPassword(own.join(':')) ?? password, tls: scheme === 'rediss' },
    };
  }
  const address = parseRedisUrl(url);
  if (typeof address === 'string') throw new OperatorError(`${option} ${address}`, EXIT.usage);
  return { kind: 'single', url: toSecret(url), prefix, access: { username: null, password, tls: false } };
}

function toAddress(option: string, text: string): Address {
  const [, host, port] = /^\[?([^\s,\]/@]+?)\]?:(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined) throw new OperatorError(`${option} must name each sentinel as host:port`, EXIT.usage);
  return { host, port: Number(port) };
}

const toPassword = (text: string): RedisAccess['password'] =>
  text === '' ? null : { kind: 'given', value: toSecret(text) };

function readPassword({ option, passwordFile, variable }: Given): RedisAccess['password'] {
  if (passwordFile === undefined) return toPassword(process.env[variable] ?? '');
  try {
    return toPassword(readFileSync(passwordFile, 'utf8').trim());
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
    throw new OperatorError(`${option}-password-file cannot be read: ${code}`, EXIT.usage);
  }
}

/** Which Redis that is, for people: without user and password. */
export function describeRedis(config: RedisConfig): string {
  switch (config.kind) {
    case 'embedded':
      return `the embedded Redis in ${config.directory}`;
    case 'sentinel':
      return `${config.name} at ${config.sentinels.map(toText).join(',')}`;
    case 'cluster':
      return `the cluster at ${config.nodes.map(toText).join(',')}`;
    case 'single': {
      const address = parseRedisUrl(config.url.reveal());
      if (typeof address === 'string') return 'Redis';
      const { server, db } = address;
      return `${'host' in server ? toText(server) : server.path}${db === 0 ? '' : `, database ${db}`}`;
    }
  }
}

const toText = ({ host, port }: Address) => `${host.includes(':') ? `[${host}]` : host}:${port}`;

// Where operators are told what happened: the address of a webhook, the secrets that sign, and the origin of links.
import { BlockList, isIP } from 'node:net';
import { z } from 'zod';
import { toSecret, type Secret } from './secret.ts';
import { readSettingFile } from './setting-file.ts';

/** `json`: the contracted body. `teams`: an Adaptive Card, as Microsoft Teams and Power Automate take it. */
export type AlertFormat = 'json' | 'teams';

/** A file is read again for each request, so rotation needs no restart. */
export type AlertSecret = { kind: 'given'; value: Secret } | { kind: 'file'; path: string };

export type AlertConfig = {
  /** May contain a token, as those of Teams do. */
  url: Secret;
  format: AlertFormat;
  /** Null: requests are not signed. */
  secret: AlertSecret | null;
  /** What links begin with: the origin, if it is known, and the base path. */
  linkBase: string;
};

/** Of an inner network, where addresses are private. */
const INSIDE = new BlockList();
for (const [network, bits] of [
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
] as const) {
  INSIDE.addSubnet(network, bits, 'ipv4');
}
for (const [network, bits] of [
  ['::1', 128],
  ['fc00::', 7],
  ['fe80::', 10],
] as const) {
  INSIDE.addSubnet(network, bits, 'ipv6');
}
/** Names that the public DNS does not have: a single label, or one of these endings. */
const INSIDE_NAME = /^[^.]+$|\.(localhost|local|internal|lan|svc|home\.arpa|cluster\.local)$/;

/** Whether a request to this host stays in a network of the operator's own. */
function isInside(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  const family = isIP(host);
  return family === 0 ? INSIDE_NAME.test(host) : INSIDE.check(host, family === 4 ? 'ipv4' : 'ipv6');
}

function faultOfUrl(text: string): string | null {
  if (!URL.canParse(text)) return 'must be an https URL';
  const { protocol, hostname, username, password } = new URL(text);
  if (protocol !== 'https:' && protocol !== 'http:') return 'must be an https URL';
  if (protocol === 'http:' && !isInside(hostname)) return 'must be https, unless the host is inside your network';
  if (username !== '' || password !== '' || text.includes('#')) return 'must have no credentials or fragment';
  return null;
}

const PREFIX = 'whsec_';
const SECRET_BYTES = { least: 24, most: 64 };

/** The secrets as base64, as Standard Webhooks writes them: several while one replaces another; all of them sign. */
const toSigningKeys = (text: string): string[] => text.split(/[\s,]+/).filter((key) => key !== '');

function isSigningKey(text: string): boolean {
  const key = text.startsWith(PREFIX) ? text.slice(PREFIX.length) : text;
  const bytes = Buffer.from(key, 'base64');
  return bytes.toString('base64') === key && bytes.length >= SECRET_BYTES.least && bytes.length <= SECRET_BYTES.most;
}

function areSigningKeys(text: string): boolean {
  const keys = toSigningKeys(text);
  return keys.length > 0 && keys.every(isSigningKey);
}

const FORM = `${PREFIX} and base64 of ${SECRET_BYTES.least} to ${SECRET_BYTES.most} bytes`;

export const alertVariables = {
  ALERT_WEBHOOK_URL: z
    .string()
    .transform((text) => text.trim())
    .superRefine((text, context) => {
      const fault = faultOfUrl(text);
      if (fault !== null) context.addIssue({ code: 'custom', message: fault });
    })
    .transform(toSecret)
    .optional(),
  ALERT_WEBHOOK_SECRET: z.string().refine(areSigningKeys, `must be ${FORM}`).transform(toSecret).optional(),
  ALERT_WEBHOOK_SECRET_FILE: z
    .string()
    .refine((path) => readKeys(path) !== null, `must name a file that can be read and holds ${FORM}`)
    .optional(),
  PUBLIC_ORIGIN: z
    .string()
    .transform((text) => text.trim().replace(/\/$/, ''))
    .refine(
      (text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) && new URL(text).origin === text,
      'must be an origin such as https://bridge.example.com',
    )
    .optional(),
};

function readKeys(path: string): string[] | null {
  try {
    const text = readSettingFile(path);
    return areSigningKeys(text) ? toSigningKeys(text) : null;
  } catch {
    return null;
  }
}

/** @throws Error if the file cannot be read, or holds no such secrets any more */
export function readSigningKeys(secret: AlertSecret): string[] {
  if (secret.kind === 'given') return toSigningKeys(secret.value.reveal());
  const keys = readKeys(secret.path);
  if (keys === null) throw new Error(`ALERT_WEBHOOK_SECRET_FILE cannot be read, or does not hold ${FORM}`);
  return keys;
}

type AlertEnvironment = z.infer<z.ZodObject<typeof alertVariables>> & { PUBLIC_BASE_PATH?: string | undefined };

export const contradictingAlerts = (env: AlertEnvironment): string[] =>
  env.ALERT_WEBHOOK_SECRET && env.ALERT_WEBHOOK_SECRET_FILE !== undefined
    ? ['ALERT_WEBHOOK_SECRET and ALERT_WEBHOOK_SECRET_FILE exclude each other']
    : [];

/** Is said to us, not to the receiver. */
const TEAMS = /([?&])format=teams(?:&|$)/;

/** Null: nobody is told. */
export function toAlerts(env: AlertEnvironment): AlertConfig | null {
  if (!env.ALERT_WEBHOOK_URL) return null;
  const url = env.ALERT_WEBHOOK_URL.reveal();
  const given = env.ALERT_WEBHOOK_SECRET;
  const path = env.ALERT_WEBHOOK_SECRET_FILE;
  const isTeams = TEAMS.test(url);
  return {
    url: isTeams ? toSecret(url.replace(TEAMS, '$1').replace(/[?&]$/, '')) : env.ALERT_WEBHOOK_URL,
    format: isTeams ? 'teams' : 'json',
    secret: given ? { kind: 'given', value: given } : path === undefined ? null : { kind: 'file', path },
    linkBase: `${env.PUBLIC_ORIGIN ?? ''}${env.PUBLIC_BASE_PATH ?? ''}`,
  };
}

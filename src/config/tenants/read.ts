// The tenants file → TenantConfig, one for each entry; every fault is reported, by its path in the file.
import { hash, X509Certificate } from 'node:crypto';
import { statSync } from 'node:fs';
import { parseDeviceIdRule } from '../../domain/submission/device-certificate.ts';
import type { Config, Role } from '../config.ts';
import { HOUR_MS, isGroupKey } from '../environment.ts';
import { CLOUDS, isPublicAuthority, type CredentialConfig, type GraphConfig } from '../graph.ts';
import { toSecret, type Secret } from '../secret.ts';
import { NoSettingFile, readSettingFile } from '../setting-file.ts';
import { tenantsFileSchema, type TenantEntry } from './schema.ts';
import type { TenantConfig } from './tenant.ts';

export type ReadTenants = {
  /** Complete only for entries without faults; to be used only if there are no faults. */
  tenants: TenantConfig[];
  faults: string[];
  /** The file and those it refers to that were read, to be watched for changes. */
  files: Files;
};

/** Files by their path, and their versions just before they were read. */
export type Files = ReadonlyMap<string, string>;

/** What tenants share with the environment: everything that the file does not say. */
export type Shared = Pick<Config, 'graph' | 'delivery' | 'backlog' | 'payloadKeys' | 'entraAudiences'>;

const ALIASES_AT_MOST = 100;
/** One mistake may have thousands of consequences. */
const ERRORS_AT_MOST = 10;

/**
 * Reads YAML or JSON. Group keys are read for an API, credentials for a worker: each needs only its own files.
 * Never throws: what is wrong with the file is among the faults.
 */
export async function readTenants(path: string, environment: Shared, role: Role): Promise<ReadTenants> {
  const files = new Map([[path, describeFile(path)]]);
  const { text, fault } = readText(path);
  if (text === null) return { tenants: [], faults: [`the file ${fault}`], files };
  const document = await parseText(text);
  if (!document.ok) return { tenants: [], faults: document.faults, files };
  const parsed = tenantsFileSchema.safeParse(document.value);
  if (!parsed.success) {
    const faults = parsed.error.issues.map(({ path: at, message }) => `${toPath(at)} ${message}`);
    return { tenants: [], faults: [...new Set(faults)], files };
  }
  const others = new OtherFiles(files);
  const entries = parsed.data.tenants;
  const tenants = entries.map((entry, index) => toTenant(entry, environment, others.at(`tenants[${index}]`, role)));
  const shared = [...findSharedKeys(tenants), ...(role === 'api' ? findSharedAuthorities(entries, others) : [])];
  const faults = [...others.faults, ...findTwins(entries), ...shared];
  return { tenants, faults, files };
}

/** The YAML library is loaded only where there is such a file. JSON is YAML. */
async function parseText(text: string): Promise<{ ok: true; value: unknown } | { ok: false; faults: string[] }> {
  const { parseDocument } = await import('yaml');
  try {
    const document = parseDocument(text, { uniqueKeys: true, version: '1.2', schema: 'core' });
    if (document.errors.length > 0) {
      const faults = document.errors
        .slice(0, ERRORS_AT_MOST)
        .map(({ message }) => `the file is not YAML or JSON: ${message.split('\n', 1)[0] ?? ''}`);
      return { ok: false, faults };
    }
    return { ok: true, value: document.toJS({ maxAliasCount: ALIASES_AT_MOST }) };
  } catch {
    // The library throws instead of reporting these.
    return { ok: false, faults: ['the file has too many aliases, or is nested too deeply'] };
  }
}

/** As in `tenants[2].azure.clientId`. */
const toPath = (keys: readonly PropertyKey[]): string =>
  keys.length === 0
    ? 'the file'
    : keys.reduce<string>((text, key) => {
        if (typeof key === 'number') return `${text}[${key}]`;
        return text === '' ? String(key) : `${text}.${String(key)}`;
      }, '');

/** Reads what entries refer to, and collects what is wrong with it. */
class OtherFiles {
  readonly faults: string[] = [];
  readonly #files: Map<string, string>;

  constructor(files: Map<string, string>) {
    this.#files = files;
  }

  at(entry: string, role: Role): FilesOfEntry {
    return {
      role,
      text: (member, path) => {
        this.#files.set(path, describeFile(path));
        const { text, fault } = readText(path);
        if (text === null) this.fault(`${entry}.${member}`, fault);
        return text;
      },
      fault: (member, fault) => this.fault(`${entry}.${member}`, fault),
    };
  }

  private fault(at: string, fault: string): void {
    this.faults.push(`${at} ${fault}`);
  }
}

type FilesOfEntry = {
  role: Role;
  /** Null if it cannot be read, which is then among the faults. */
  text: (member: string, path: string) => string | null;
  fault: (member: string, fault: string) => void;
};

function toTenant(entry: TenantEntry, shared: Shared, files: FilesOfEntry): TenantConfig {
  const { id, azure, devices, delivery, graph: given } = entry;
  const tenantId = azure.tenantId.toLowerCase();
  const graph = toGraph(entry, shared.graph, files);
  const rule = parseDeviceIdRule(devices?.idFromCert ?? 'cn');
  const audiences = shared.entraAudiences;
  const directory = devices?.directory === 'entra' ? {} : (devices?.directory ?? null);
  const hoursOr = (value: number | null | undefined, otherwise: number) =>
    value == null ? otherwise : Math.ceil(value * HOUR_MS);
  return {
    id,
    isPaused: entry.paused ?? false,
    groupKeys: files.role === 'api' ? readGroupKeys(devices?.groupKeyFiles ?? [], files) : [],
    devices:
      devices?.caFile == null || !rule
        ? null
        : { authoritiesFile: devices.caFile, rule: rule.from === 'intune-mdm' ? { ...rule, tenantId } : rule },
    entra: audiences.length === 0 ? null : { authorityHost: graph.authorityHost, tenantId, audiences },
    graph,
    directory: directory && {
      requirement: directory.require ?? 'managed',
      maxAgeMs: hoursOr(directory.maxAgeH, 24 * HOUR_MS),
      graph,
    },
    delivery: {
      ...shared.delivery,
      writesPer20s: given?.writesPer20s ?? shared.delivery.writesPer20s,
      priority: delivery?.priority ?? shared.delivery.priority,
      supersede: delivery?.supersede ?? shared.delivery.supersede,
      dedupeWindowMs: hoursOr(delivery?.dedupeWindowH, shared.delivery.dedupeWindowMs),
      policy: { ...shared.delivery.policy, maxAgeMs: hoursOr(delivery?.maxAgeH, shared.delivery.policy.maxAgeMs) },
    },
    backlog: {
      maxBytes: delivery?.maxBacklogBytes ?? shared.backlog.maxBytes,
      maxAgeMs: delivery?.maxBacklogAgeH == null ? shared.backlog.maxAgeMs : delivery.maxBacklogAgeH * HOUR_MS,
    },
    payloadKeys: shared.payloadKeys,
  };
}

function toGraph({ azure, graph }: TenantEntry, shared: GraphConfig, files: FilesOfEntry): GraphConfig {
  const cloud = CLOUDS[graph?.cloud ?? 'global'];
  const authorityHost = trimmed(graph?.authorityHost ?? cloud.authority);
  return {
    ...shared,
    baseUrl: trimmed(graph?.baseUrl ?? `${cloud.root}/beta`),
    scope: `${cloud.root}/.default`,
    authorityHost,
    instanceDiscovery: isPublicAuthority(authorityHost),
    credential: toCredential(azure, files),
  };
}

const trimmed = (url: string): string => url.replace(/\/+$/, '');

function toCredential(azure: TenantEntry['azure'], files: FilesOfEntry): CredentialConfig {
  const clientId = azure.clientId ?? null;
  if (azure.managedIdentity === true || clientId === null) return { kind: 'managed-identity', clientId };
  const app = { tenantId: azure.tenantId.toLowerCase(), clientId };
  const checked = (member: 'clientSecretFile' | 'clientCertificateFile' | 'federatedTokenFile') => {
    const path = azure[member] ?? '';
    if (files.role === 'worker' && files.text(`azure.${member}`, path)?.trim() === '') {
      files.fault(`azure.${member}`, 'is empty');
    }
    return path;
  };
  if (azure.clientSecretFile != null) {
    return { kind: 'secret-file', ...app, secretPath: checked('clientSecretFile') };
  }
  if (azure.clientCertificateFile != null) {
    const certificatePath = checked('clientCertificateFile');
    return {
      kind: 'certificate',
      ...app,
      certificatePath,
      certificateVariable: 'clientCertificateFile',
      password: null,
    };
  }
  return { kind: 'federated', ...app, tokenFilePath: checked('federatedTokenFile') };
}

function readGroupKeys(paths: readonly string[], files: FilesOfEntry): Secret[] {
  return paths.flatMap((path, index) => {
    const member = `devices.groupKeyFiles[${index}]`;
    const text = files.text(member, path);
    if (text === null) return [];
    const keys = text.split(/[,\s]+/).filter((key) => key !== '');
    if (keys.length === 0 || !keys.every(isGroupKey)) {
      files.fault(member, 'holds no base64 keys of 16 to 64 bytes, or others too');
      return [];
    }
    return keys.map(toSecret);
  });
}

function findTwins(entries: readonly TenantEntry[]): string[] {
  return entries.flatMap(({ id }, index) => {
    const first = entries.findIndex((entry) => entry.id === id);
    return first < index ? [`tenants[${index}].id is also the id of tenants[${first}]`] : [];
  });
}

/** With one group key for two tenants, a device of one could say that it is a device of the other. */
function findSharedKeys(tenants: readonly TenantConfig[]): string[] {
  const owners = new Map<string, number>();
  return tenants.flatMap(({ groupKeys }, index) =>
    groupKeys.flatMap((key) => {
      const digest = hash('sha256', key.reveal());
      const owner = owners.get(digest) ?? index;
      owners.set(digest, owner);
      return owner === index ? [] : [`tenants[${index}].devices.groupKeyFiles has a key of tenants[${owner}] too`];
    }),
  );
}

/**
 * With one authority for two tenants, a device of one could say that it is a device of the other, unless its certificate
 * names the Entra tenant.
 */
function findSharedAuthorities(entries: readonly TenantEntry[], files: OtherFiles): string[] {
  const owners = new Map<string, number[]>();
  const isToldApart = (one: number, other: number) =>
    [one, other].every((index) => entries[index]?.devices?.idFromCert === 'intune-mdm') &&
    entries[one]?.azure.tenantId.toLowerCase() !== entries[other]?.azure.tenantId.toLowerCase();
  return entries.flatMap(({ devices }, index) => {
    if (devices?.caFile == null) return [];
    const text = files.at(`tenants[${index}]`, 'api').text('devices.caFile', devices.caFile);
    const keys = new Set(readAuthorityKeys(text ?? ''));
    const others = Array.from(keys, (key) => owners.get(key)?.find((other) => !isToldApart(index, other)));
    for (const key of keys) owners.set(key, [...(owners.get(key) ?? []), index]);
    const owner = others.find((other) => other !== undefined);
    return owner === undefined ? [] : [`tenants[${index}].devices.caFile has an authority of tenants[${owner}] too`];
  });
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Unreadable certificates are reported when the tenant is opened. */
function readAuthorityKeys(pem: string): string[] {
  try {
    return Array.from(pem.matchAll(CERTIFICATE), ([text]) =>
      new X509Certificate(text).publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
    );
  } catch {
    return [];
  }
}

/** Identifies a version of a file. Symbolic links are followed, as mounted secrets are links. */
export function describeFile(path: string): string {
  try {
    const { ino, size, mtimeMs } = statSync(path);
    return `${ino} ${size} ${mtimeMs}`;
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}

const REASONS: Record<string, string> = {
  ENOENT: 'there is no such file',
  EACCES: 'this user may not',
  EISDIR: 'it is a directory',
};

function readText(path: string): { text: string; fault: '' } | { text: null; fault: string } {
  try {
    return { text: readSettingFile(path), fault: '' };
  } catch (error) {
    if (error instanceof NoSettingFile) return { text: null, fault: `is ${error.message}` };
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
    return { text: null, fault: `cannot be read: ${REASONS[code] ?? code}` };
  }
}

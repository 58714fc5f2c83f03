// Checks the files, the directory and the port that the environment names, before anything is opened.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { accessSync, constants, mkdirSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, resolve } from 'node:path';
import { createSecureContext } from 'node:tls';
import { CannotStart } from '../config/cannot-start.ts';
import type { Role } from '../config/config.ts';
import { directoryFault } from '../queue/redis/embedded/directory.ts';
import { NoSettingFile, readSettingFile } from '../config/setting-file.ts';

type Variables = Readonly<Record<string, string>>;

const TOPOLOGIES = ['REDIS_URL', 'REDIS_SENTINELS', 'REDIS_CLUSTER'];
/** The secret takes precedence over all files; of these, the first that is set is used. */
const CREDENTIALS = {
  worker: {
    secret: 'AZURE_CLIENT_SECRET',
    files: ['AZURE_CLIENT_SECRET_FILE', 'AZURE_CLIENT_CERTIFICATE_PATH', 'AZURE_FEDERATED_TOKEN_FILE'],
  },
  directory: {
    secret: 'DIRECTORY_CLIENT_SECRET',
    files: ['DIRECTORY_CLIENT_SECRET_FILE', 'DIRECTORY_CLIENT_CERTIFICATE_PATH', 'DIRECTORY_FEDERATED_TOKEN_FILE'],
  },
};

const REASONS: Record<string, string> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'a part of its path is no directory',
  EACCES: 'this user may not',
  EPERM: 'this user may not',
  EROFS: 'the file system is read-only',
  ELOOP: 'its links lead in a circle',
  ENAMETOOLONG: 'its path is too long',
  ENXIO: 'it is a socket or a device',
};
const LISTEN_REASONS: Record<string, string> = {
  EADDRINUSE: 'another process has it',
  EACCES: 'this user may not',
  EPERM: 'this user may not',
};

/** The faults for a process of this role, each naming its variable, never its value. */
export async function findOutsideFaults(given: Variables, role: Role): Promise<string[]> {
  return [...(await findFileFaults(given, role)), ...dataDirectoryFaults(given)];
}

/** Only the faults of files. */
export async function findFileFaults(given: Variables, role: Role): Promise<string[]> {
  if (role === 'api') return [...tlsFaults(given), ...(await authorityFaults(given))];
  const isDirectoryAsked = 'DEVICE_DIRECTORY' in given;
  return [
    ...credentialFaults(given, CREDENTIALS.worker),
    ...(isDirectoryAsked ? credentialFaults(given, CREDENTIALS.directory) : []),
  ];
}

function tlsFaults(given: Variables): string[] {
  const [cert, key] = [readText(given, 'TLS_CERT_FILE'), readText(given, 'TLS_KEY_FILE')];
  const faults = [...cert.faults, ...key.faults];
  const certificate = cert.text === null ? null : attempt(() => new X509Certificate(cert.text ?? ''));
  const privateKey = key.text === null ? null : attempt(() => createPrivateKey(key.text ?? ''));
  if (cert.text !== null && !certificate) faults.push('TLS_CERT_FILE holds no certificate in PEM');
  if (key.text !== null && !privateKey)
    faults.push('TLS_KEY_FILE holds no private key in PEM, or one that is encrypted');
  if (!certificate || !privateKey || cert.text === null || key.text === null) return faults;
  if (!certificate.checkPrivateKey(privateKey)) {
    faults.push('TLS_KEY_FILE holds another key than the one of the certificate in TLS_CERT_FILE');
  } else if (!attempt(() => createSecureContext({ cert: cert.text ?? '', key: key.text ?? '' }))) {
    faults.push('TLS_CERT_FILE and TLS_KEY_FILE hold a chain or key that TLS cannot use');
  }
  return faults;
}

/** The certificate library is slow to load, so it is loaded only if devices have certificates. */
async function authorityFaults(given: Variables): Promise<string[]> {
  const { text, faults } = readText(given, 'DEVICE_CA_FILE');
  if (text === null) return faults;
  const { parseAuthorities } = await import('../http/identity/certificate/authorities.ts');
  return attempt(() => parseAuthorities([text]))
    ? []
    : ['DEVICE_CA_FILE holds no certificates of authorities in PEM, or others too'];
}

function credentialFaults(given: Variables, { secret, files }: { secret: string; files: string[] }): string[] {
  if (secret in given) return [];
  const [name] = files.filter((file) => file in given);
  if (name === undefined) return [];
  const { text, faults } = readText(given, name);
  return text?.trim() === '' ? [`${name} is empty`] : faults;
}

function dataDirectoryFaults(given: Variables): string[] {
  if (TOPOLOGIES.some((name) => name in given)) return [];
  const directory = given['DATA_DIR'] ?? './data';
  // Already reported, and nothing is made there.
  if (directory.trim() === '') return [];
  try {
    makeDirectory(resolve(directory));
    if (!statSync(directory).isDirectory()) return ['DATA_DIR is no directory'];
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    const fault = directoryFault(directory);
    return fault === null ? [] : [`DATA_DIR ${fault}`];
  } catch (error) {
    return [`DATA_DIR cannot be written to: ${reasonOf(error, { ...REASONS, ENOENT: 'it cannot be made there' })}`];
  }
}

/** Creates parents one by one: Node's recursive mkdir never returns if none can be created, such as below /proc. */
function makeDirectory(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })) return;
  if (dirname(path) !== path) makeDirectory(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another of our processes was faster.
    if (codeOf(error) !== 'EEXIST') throw error;
  }
}

function readText(given: Variables, name: string): { text: string | null; faults: string[] } {
  const path = given[name];
  if (path === undefined) return { text: null, faults: [] };
  try {
    return { text: readSettingFile(path), faults: [] };
  } catch (error) {
    if (error instanceof NoSettingFile) return { text: null, faults: [`${name} is ${error.message}`] };
    return { text: null, faults: [`${name} cannot be read: ${reasonOf(error, REASONS)}`] };
  }
}

/** Tries briefly to listen; used only if the process exits anyway. */
export async function findListenFaults(host: string, port: number, variable: PortVariable): Promise<string[]> {
  const server = createServer();
  try {
    server.listen(port, host);
    await once(server, 'listening');
    return [];
  } catch (error) {
    return [describeListen(error, variable)];
  } finally {
    server.close();
  }
}

export type PortVariable = 'PORT' | 'WORKER_PORT';

/** Turns an error of a listener into a reason not to start. */
export function cannotListen(variable: PortVariable) {
  return (error: unknown): never => {
    throw new CannotStart(describeListen(error, variable));
  };
}

function describeListen(error: unknown, variable: PortVariable): string {
  const reason = LISTEN_REASONS[codeOf(error)];
  if (reason !== undefined) return `${variable} cannot be listened on: ${reason}`;
  return `HOST is no address of this machine (${codeOf(error)})`;
}

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code ?? 'unknown';
const reasonOf = (error: unknown, reasons: Record<string, string>) => reasons[codeOf(error)] ?? codeOf(error);

function attempt<T>(make: () => T): T | null {
  try {
    return make();
  } catch {
    return null;
  }
}

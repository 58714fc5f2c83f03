// What is wrong outside of the project, at the start: by the variable's name, all of it together; and that real processes end with 78 then.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { readConfiguration } from '../../src/process/configuration.ts';
import { createAuthority } from '../support/certificates.ts';
import { GROUP_KEY } from '../support/device.ts';
import { startProcess, type TestProcess } from '../support/process.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';

let directory: string;
let redis: TestRedis;
let taken: Server;
let takenPort: string;
const processes: TestProcess[] = [];

const file = (name: string) => join(directory, name);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'marked-directory-'));
  redis = await startTestRedis();
  taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  takenPort = String((taken.address() as AddressInfo).port);
  const authority = await createAuthority();
  const [made, other] = [await authority.issue(), await authority.issue()];
  await Promise.all([
    writeFile(file('cert.pem'), made.pem),
    writeFile(file('key.pem'), made.keyPem),
    writeFile(file('other-key.pem'), other.keyPem),
    writeFile(file('ca.pem'), authority.pem),
    writeFile(file('text'), 'no PEM at all'),
    writeFile(file('empty'), '\n'),
    mkdir(file('folder')),
    mkdir(file('closed')),
    promisify(execFile)('mkfifo', [file('pipe')]),
  ]);
  await chmod(file('closed'), 0o500);
});
afterEach(async () => {
  await Promise.all(processes.splice(0).map((process) => process.close()));
});
afterAll(async () => {
  taken.close();
  await redis.close();
  await rm(directory, { recursive: true });
});

type Role = 'api' | 'worker';

const usable = () => ({
  HOST: '127.0.0.1',
  PORT: '0',
  WORKER_PORT: '0',
  REDIS_URL: redis.url,
  DEVICE_GROUP_KEYS: GROUP_KEY,
  AZURE_TENANT_ID: 'tenant',
  AZURE_CLIENT_ID: 'client',
  AZURE_CLIENT_SECRET: 'secret',
});

function start(role: Role, env: Record<string, string>): TestProcess {
  const started = startProcess(role === 'api' ? 'src/main.ts' : 'workers/main.ts', { ...usable(), ...env });
  processes.push(started);
  return started;
}

/** Its exit code, the names its faults begin with, and all it said. */
async function fail(role: Role, env: Record<string, string>) {
  const failed = start(role, env);
  const code = await failed.ended;
  const fatal = failed.lines.find(({ level }) => level === 'fatal');
  const faults = (fatal?.['faults'] ?? [fatal?.['reason']]) as string[];
  return { code, names: namesIn(faults), said: failed.stdout() + failed.stderr() };
}

const namesIn = (faults: readonly string[]) => faults.map((fault) => fault.split(' ')[0]);

/** What a process would say, without starting one. */
const findFaults = async (role: Role, env: Record<string, string>) =>
  (await readConfiguration({ ...usable(), ...env }, role)).faults ?? [];

const credential = { AZURE_CLIENT_SECRET: '' };
const directoryApp = { DEVICE_DIRECTORY: 'entra', DIRECTORY_CLIENT_ID: 'directory' };

/** One of each kind, and those that only a process meets: what it listens on, what Node reads by itself. */
const ENDS: [string, Role, () => Record<string, string>, string[]][] = [
  ['a port that is taken', 'api', () => ({ PORT: takenPort }), ['PORT']],
  ['a port that is taken', 'worker', () => ({ WORKER_PORT: takenPort }), ['WORKER_PORT']],
  ['an address of another machine', 'api', () => ({ HOST: '192.0.2.77' }), ['HOST']],
  ['an address of another machine', 'worker', () => ({ HOST: '192.0.2.77' }), ['HOST']],
  ['a data directory nobody can make', 'api', () => ({ REDIS_URL: '', DATA_DIR: '/proc/marked' }), ['DATA_DIR']],
  ['no authorities', 'api', () => ({ DEVICE_CA_FILE: file('none'), TRUSTED_PROXIES: '10.0.0.1' }), ['DEVICE_CA_FILE']],
  [
    'no secret file',
    'worker',
    () => ({ ...credential, AZURE_CLIENT_SECRET_FILE: file('none') }),
    ['AZURE_CLIENT_SECRET_FILE'],
  ],
  ['no further authorities', 'worker', () => ({ NODE_EXTRA_CA_CERTS: file('none') }), ['NODE_EXTRA_CA_CERTS']],
  ['a name that is none', 'api', () => ({ HOST: 'marked.invalid' }), ['HOST']],
];

const BROKEN: [string, Role, () => Record<string, string>, string[]][] = [
  ['a raw % in an address', 'api', () => ({ REDIS_URL: 'redis://:50%marked@h' }), ['REDIS_URL']],
  [
    'a link of Kubernetes for a host, and a file for a data directory',
    'api',
    () => ({ HOST: 'tcp://10.0.0.1:8080', REDIS_URL: '', DATA_DIR: file('text') }),
    ['DATA_DIR', 'HOST'],
  ],
  ['a file for a data directory', 'api', () => ({ REDIS_URL: '', DATA_DIR: file('text') }), ['DATA_DIR']],
  ['a data directory below a file', 'worker', () => ({ REDIS_URL: '', DATA_DIR: file('text/data') }), ['DATA_DIR']],
  [
    'no certificate file',
    'api',
    () => ({ TLS_CERT_FILE: file('none'), TLS_KEY_FILE: file('key.pem') }),
    ['TLS_CERT_FILE'],
  ],
  [
    'a folder for a key',
    'api',
    () => ({ TLS_CERT_FILE: file('cert.pem'), TLS_KEY_FILE: file('folder') }),
    ['TLS_KEY_FILE'],
  ],
  [
    'a device for a key',
    'api',
    () => ({ TLS_CERT_FILE: file('cert.pem'), TLS_KEY_FILE: '/dev/zero' }),
    ['TLS_KEY_FILE'],
  ],
  [
    'texts that are no PEM',
    'api',
    () => ({ TLS_CERT_FILE: file('text'), TLS_KEY_FILE: file('text') }),
    ['TLS_CERT_FILE', 'TLS_KEY_FILE'],
  ],
  [
    'a key for a certificate',
    'api',
    () => ({ TLS_CERT_FILE: file('key.pem'), TLS_KEY_FILE: file('key.pem') }),
    ['TLS_CERT_FILE'],
  ],
  [
    'another certificate’s key',
    'api',
    () => ({ TLS_CERT_FILE: file('cert.pem'), TLS_KEY_FILE: file('other-key.pem') }),
    ['TLS_KEY_FILE'],
  ],
  [
    'authorities that are none',
    'api',
    () => ({ DEVICE_CA_FILE: file('cert.pem'), TRUSTED_PROXIES: '10.0.0.1' }),
    ['DEVICE_CA_FILE'],
  ],
  [
    'an empty secret file',
    'worker',
    () => ({ ...credential, AZURE_CLIENT_SECRET_FILE: file('empty') }),
    ['AZURE_CLIENT_SECRET_FILE'],
  ],
  [
    'no certificate',
    'worker',
    () => ({ ...credential, AZURE_CLIENT_CERTIFICATE_PATH: file('none') }),
    ['AZURE_CLIENT_CERTIFICATE_PATH'],
  ],
  [
    'no token file',
    'worker',
    () => ({ ...credential, AZURE_FEDERATED_TOKEN_FILE: file('none') }),
    ['AZURE_FEDERATED_TOKEN_FILE'],
  ],
  [
    'no secret file of the directory',
    'worker',
    () => ({ ...directoryApp, DIRECTORY_CLIENT_SECRET_FILE: file('none') }),
    ['DIRECTORY_CLIENT_SECRET_FILE'],
  ],
  [
    'an empty certificate of the directory, and no secret of the worker',
    'worker',
    () => ({
      ...credential,
      AZURE_CLIENT_SECRET_FILE: file('none'),
      ...directoryApp,
      DIRECTORY_CLIENT_CERTIFICATE_PATH: file('empty'),
    }),
    ['AZURE_CLIENT_SECRET_FILE', 'DIRECTORY_CLIENT_CERTIFICATE_PATH'],
  ],
];

test.each(ENDS)('%s · the %s · ends with 78 · and names its variable', async (_what, role, env, names) => {
  const failed = await fail(role, env());
  expect({ code: failed.code, names: failed.names }).toEqual({ code: 78, names });
  expect(failed.said).not.toMatch(/defect/i);
  expect(failed.said.replaceAll(/^Warning: Ignoring extra certs.*$/gm, '')).not.toMatch(/marked|\/proc|\/dev\/zero/);
});

test.each(BROKEN)('%s · the %s · is a fault · and names its variable', async (_what, role, env, names) => {
  const faults = await findFaults(role, env());
  expect(namesIn(faults)).toEqual(names);
  expect(faults.join()).not.toMatch(/marked|\/proc|\/dev\/zero/);
});

/** By processes, since one that read such a pipe would wait for ever. */
const PIPED: [Role, Record<string, string>, string[]][] = [
  ['api', { TRUSTED_PROXIES: '10.0.0.1' }, ['REDIS_PASSWORD_FILE', 'DEVICE_CA_FILE']],
  [
    'worker',
    { ...credential, ...directoryApp },
    ['REDIS_PASSWORD_FILE', 'AZURE_CLIENT_SECRET_FILE', 'DIRECTORY_FEDERATED_TOKEN_FILE'],
  ],
];

test.each(PIPED)('files of the %s · are a pipe nobody writes to · ends with 78', async (role, env, names) => {
  const failed = await fail(role, { ...env, ...Object.fromEntries(names.map((name) => [name, file('pipe')])) });
  expect({ code: failed.code, names: failed.names }).toEqual({ code: 78, names });
  expect(failed.said).not.toMatch(/defect|marked/i);
});

test('all that is wrong · of variables, files and ports · is reported together', async () => {
  const { code, names } = await fail('api', {
    LOG_LEVEL: 'chatty',
    REDIS_URL: '',
    DATA_DIR: file('text'),
    TLS_CERT_FILE: file('none'),
    TLS_KEY_FILE: file('text'),
    DEVICE_CA_FILE: file('folder'),
  });
  expect([code, names]).toEqual([78, ['LOG_LEVEL', 'TLS_CERT_FILE', 'TLS_KEY_FILE', 'DEVICE_CA_FILE', 'DATA_DIR']]);
  const also = { PORT: takenPort, TLS_CERT_FILE: file('text'), TLS_KEY_FILE: file('key.pem') };
  expect(namesIn(await findFaults('api', also))).toEqual(['TLS_CERT_FILE', 'PORT']);
});

test('files of the other process · are nobody’s business here · and keep nothing from starting', async () => {
  const missing = file('none');
  const api = start('api', {
    ...credential,
    AZURE_CLIENT_SECRET_FILE: missing,
    ...directoryApp,
    DIRECTORY_CLIENT_SECRET_FILE: missing,
  });
  await api.line('listening');
  const worker = start('worker', { TLS_CERT_FILE: missing, TLS_KEY_FILE: missing, DEVICE_CA_FILE: missing });
  await worker.line('working');
});

test('what was only looked at · leaves nothing behind', async () => {
  await findFaults('api', { LOG_LEVEL: 'chatty', TLS_CERT_FILE: file('none'), TLS_KEY_FILE: file('none') });
  expect(await readdir(file('folder'))).toEqual([]);
});

describe('links that Kubernetes makes for a service', () => {
  const BESIDE = {
    REDIS_PORT: 'tcp://10.0.0.2:6379',
    REDIS_SERVICE_HOST: '10.0.0.2',
    WORKER_PORT_8081_TCP: 'tcp://10.0.0.1:8081',
    WORKER_SERVICE_HOST: '10.0.0.1',
  };

  test.each([
    ['worker', 'working', { WORKER_PORT: 'udp://10.0.0.1:8081', HOST: '127.0.0.1' }, ['WORKER_PORT']],
    ['api', 'listening', { PORT: 'tcp://[fd00::1]:80', WORKER_PORT: 'sctp://10.0.0.1:1' }, ['PORT', 'WORKER_PORT']],
  ] as const)('%s · %s · with %j · and says what it passes over', async (role, msg, links, ignored) => {
    const started = start(role, { ...links });
    // Several test files want the default ports: that one is taken is as good an answer here.
    const line = await Promise.race([started.line(msg), started.ended]);
    if (typeof line === 'number') {
      expect([line, started.stdout()]).toEqual([78, expect.stringMatching(/PORT cannot be listened on/)]);
    } else {
      expect([8080, 8081, expect.any(Number)]).toContainEqual(line?.['port']);
    }
    const logged = started.lines.find(({ msg: said }) => said.startsWith('ignored: Kubernetes'));
    expect(logged?.['variables'] ?? null).toEqual(ignored);
  });

  test.each([
    ['one of the other process', { WORKER_PORT: 'tcp://10.0.0.1:8081' }, ['WORKER_PORT']],
    ['those beside it, which no process of ours reads', BESIDE, []],
  ])('%s · is passed over', async (_what, links, ignored) => {
    const { config } = await readConfiguration({ ...usable(), ...links }, 'api');
    expect(config).toMatchObject({ ignored, http: { port: 0 } });
  });
});

// What is wrong outside of the project, at the start of real processes: 78, by the variable's name, all of it together, no defect.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
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

function start(role: Role, env: Record<string, string>): TestProcess {
  const started = startProcess(role === 'api' ? 'src/main.ts' : 'workers/main.ts', {
    HOST: '127.0.0.1',
    PORT: '0',
    WORKER_PORT: '0',
    REDIS_URL: redis.url,
    DEVICE_GROUP_KEYS: GROUP_KEY,
    AZURE_TENANT_ID: 'tenant',
    AZURE_CLIENT_ID: 'client',
    AZURE_CLIENT_SECRET: 'secret',
    ...env,
  });
  processes.push(started);
  return started;
}

/** Its exit code, the names its faults begin with, and all it said. */
async function fail(role: Role, env: Record<string, string>) {
  const failed = start(role, env);
  const code = await failed.ended;
  const fatal = failed.lines.find(({ level }) => level === 'fatal');
  const faults = (fatal?.['faults'] ?? [fatal?.['reason']]) as string[];
  return { code, names: faults.map((fault) => fault.split(' ')[0]), said: failed.stdout() + failed.stderr() };
}

const credential = { AZURE_CLIENT_SECRET: '' };
const directoryApp = { DEVICE_DIRECTORY: 'entra', DIRECTORY_CLIENT_ID: 'directory' };

const BROKEN: [string, Role, () => Record<string, string>, string[]][] = [
  ['a raw % in an address', 'api', () => ({ REDIS_URL: 'redis://:50%marked@h' }), ['REDIS_URL']],
  ['a port that is taken', 'api', () => ({ PORT: takenPort }), ['PORT']],
  ['a port that is taken', 'worker', () => ({ WORKER_PORT: takenPort }), ['WORKER_PORT']],
  ['an address of another machine', 'api', () => ({ HOST: '192.0.2.77' }), ['HOST']],
  ['an address of another machine', 'worker', () => ({ HOST: '192.0.2.77' }), ['HOST']],
  ['a name that is none', 'api', () => ({ HOST: 'marked.invalid' }), ['HOST']],
  ['a link of Kubernetes for a host', 'api', () => ({ HOST: 'tcp://10.0.0.1:8080' }), ['HOST']],
  ['a file for a data directory', 'api', () => ({ REDIS_URL: '', DATA_DIR: file('text') }), ['DATA_DIR']],
  ['a data directory below a file', 'worker', () => ({ REDIS_URL: '', DATA_DIR: file('text/data') }), ['DATA_DIR']],
  ['a data directory nobody can make', 'api', () => ({ REDIS_URL: '', DATA_DIR: '/proc/marked' }), ['DATA_DIR']],
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
  ['no authorities', 'api', () => ({ DEVICE_CA_FILE: file('none'), TRUSTED_PROXIES: '10.0.0.1' }), ['DEVICE_CA_FILE']],
  [
    'authorities that are none',
    'api',
    () => ({ DEVICE_CA_FILE: file('cert.pem'), TRUSTED_PROXIES: '10.0.0.1' }),
    ['DEVICE_CA_FILE'],
  ],
  [
    'no secret file',
    'worker',
    () => ({ ...credential, AZURE_CLIENT_SECRET_FILE: file('none') }),
    ['AZURE_CLIENT_SECRET_FILE'],
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
  ['no further authorities', 'worker', () => ({ NODE_EXTRA_CA_CERTS: file('none') }), ['NODE_EXTRA_CA_CERTS']],
];

test.each(BROKEN)('%s · the %s · ends with 78 · and names its variable', async (_what, role, env, names) => {
  const failed = await fail(role, env());
  expect({ code: failed.code, names: failed.names }).toEqual({ code: 78, names });
  expect(failed.said).not.toMatch(/defect/i);
  expect(failed.said.replaceAll(/^Warning: Ignoring extra certs.*$/gm, '')).not.toMatch(/marked|\/proc|\/dev\/zero/);
});

const PIPED: [string, Role, Record<string, string>][] = [
  ['REDIS_PASSWORD_FILE', 'api', {}],
  ['REDIS_PASSWORD_FILE', 'worker', {}],
  ['AZURE_CLIENT_SECRET_FILE', 'worker', credential],
  ['DIRECTORY_FEDERATED_TOKEN_FILE', 'worker', directoryApp],
  ['DEVICE_CA_FILE', 'api', { TRUSTED_PROXIES: '10.0.0.1' }],
];

test.each(PIPED)('%s of the %s · is a pipe nobody writes to · ends with 78', async (name, role, env) => {
  const failed = await fail(role, { ...env, [name]: file('pipe') });
  expect({ code: failed.code, names: failed.names }).toEqual({ code: 78, names: [name] });
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
  const also = await fail('api', { PORT: takenPort, TLS_CERT_FILE: file('text'), TLS_KEY_FILE: file('key.pem') });
  expect([also.code, also.names]).toEqual([78, ['TLS_CERT_FILE', 'PORT']]);
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
  await fail('api', { LOG_LEVEL: 'chatty', TLS_CERT_FILE: file('none'), TLS_KEY_FILE: file('none') });
  expect(await readdir(file('folder'))).toEqual([]);
});

describe('links that Kubernetes makes for a service', () => {
  test.each([
    ['api', 'listening', { WORKER_PORT: 'tcp://10.0.0.1:8081' }, ['WORKER_PORT']],
    ['worker', 'working', { WORKER_PORT: 'udp://10.0.0.1:8081', HOST: '127.0.0.1' }, ['WORKER_PORT']],
    ['api', 'listening', { PORT: 'tcp://[fd00::1]:80', WORKER_PORT: 'sctp://10.0.0.1:1' }, ['PORT', 'WORKER_PORT']],
    // Beside them stand many that no process of ours reads.
    [
      'api',
      'listening',
      {
        REDIS_PORT: 'tcp://10.0.0.2:6379',
        REDIS_SERVICE_HOST: '10.0.0.2',
        WORKER_PORT_8081_TCP: 'tcp://10.0.0.1:8081',
        WORKER_SERVICE_HOST: '10.0.0.1',
      },
      null,
    ],
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
});

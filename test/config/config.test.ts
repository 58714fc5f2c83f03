// The configuration: every variable's default, good and bad values, all faults together, and secrets that do not show.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { ConfigError, EXIT_CONFIG, parseConfig, type Config, type Role } from '../../src/config/config.ts';
import { environmentSchema, LOG_LEVELS, parseGroupKeys } from '../../src/config/environment.ts';
import { parseRedisUrl, readPassword, type RedisAddress } from '../../src/config/redis.ts';
import { toSecret } from '../../src/config/secret.ts';

const KEY_16 = Buffer.alloc(16, 1).toString('base64');
const KEY_32 = Buffer.alloc(32, 3).toString('base64');
const OTHER_KEY_32 = Buffer.alloc(32, 4).toString('base64');
const KEY_64 = Buffer.alloc(64, 2).toString('base64');
const SECRET = 'Qm8~not~to~be~seen~9rT2vK5xW7yZ1';

const TENANT = '7a1f3b90-52a4-4b6f-9d1e-2f6c1f0a9b33';

const api = { DEVICE_GROUP_KEYS: KEY_16 };
const worker = { AZURE_TENANT_ID: 'tenant', AZURE_CLIENT_ID: 'client', AZURE_CLIENT_SECRET: SECRET };
const both = { ...api, ...worker };

type Name = keyof typeof environmentSchema.shape;
type Environment = Partial<Record<Name, string>>;

const faultsOf = (environment: Environment, role: Role = 'worker'): readonly string[] => {
  try {
    parseConfig(environment, role);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
};
const config = (changes: Environment = {}) => parseConfig({ ...both, ...changes }, 'worker');

type Case = { pick: (config: Config) => unknown; byDefault: unknown; good: [string, unknown][]; bad: string[] };

const whole = (pick: Case['pick'], byDefault: number | null, min: number, max: number): Case => ({
  pick,
  byDefault,
  good: [`${min}`, `${max}`].map((text) => [text, Number(text)]),
  bad: [...(min > 0 ? [`${min - 1}`] : []), '-1', `${max + 1}`, '1.5', '1e3', '0x10', 'many', ' 5', '9'.repeat(400)],
});
const hours = (pick: Case['pick'], byDefault: number | null): Case => ({
  pick,
  byDefault,
  good: [
    ['0.5', 1_800_000],
    ['1', 3_600_000],
  ],
  bad: ['0', '-1', '87601', 'a week', 'Infinity'],
});
const addresses = (pick: Case['pick'], byDefault: unknown): Case => ({
  pick,
  byDefault,
  good: [
    ['a:1', [{ host: 'a', port: 1 }]],
    [
      'a.example:26379, [::1]:65535',
      [
        { host: 'a.example', port: 26_379 },
        { host: '::1', port: 65_535 },
      ],
    ],
  ],
  bad: ['a', 'a:', ':1', 'a:0', 'a:65536', 'a:1,', 'a:1,,b:2', 'redis://a:1'],
});
const file = (path: (config: Config) => string | undefined): Case => ({
  pick: (config) => path(config) ?? null,
  byDefault: null,
  good: [['/etc/bridge/file.pem', '/etc/bridge/file.pem']],
  bad: [],
});
/** The credential of the directory, with the members of every kind. */
const toDirectoryCredential = (directory: Config['directory']) =>
  (directory?.graph.credential ?? {}) as Partial<
    Record<'clientId' | 'secretPath' | 'certificatePath' | 'tokenFilePath', string> & { secret: unknown }
  >;
const revealed = (secret: unknown): unknown => (secret as { reveal: () => string } | null)?.reveal() ?? null;

const WEBHOOK = { ALERT_WEBHOOK_URL: 'https://hooks.example/' };
const SIGNING_KEY = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
const KEYS = mkdtempSync(join(tmpdir(), 'runstate-signing-keys-'));
const KEY_FILE = join(KEYS, 'key');
writeFileSync(KEY_FILE, `${SIGNING_KEY}\n`);
afterAll(() => rmSync(KEYS, { recursive: true }));

const DIRECTORY = { DEVICE_DIRECTORY: 'entra' };
const DIRECTORY_APP = { AZURE_TENANT_ID: 'tenant', DIRECTORY_CLIENT_ID: 'reader' };

/** Every variable by itself; a variable of the schema without a case does not compile. */
const CASES: Record<Name, Case> = {
  PORT: whole(({ http }) => http.port, 8080, 0, 65_535),
  HOST: { pick: ({ http }) => http.host, byDefault: '0.0.0.0', good: [['::1', '::1']], bad: [] },
  WORKER_PORT: whole(({ worker }) => worker.port, 8081, 0, 65_535),
  REDIS_URL: {
    pick: ({ redis }) => (redis.kind === 'single' ? redis.url.reveal() : redis.kind),
    byDefault: 'embedded',
    good: [
      'redis://h',
      'redis://user:pw@h:6380/2',
      'redis://h?family=6',
      'redis://:p%25%23@h/',
      'rediss://h',
      'unix:/run/redis.sock',
      'unix:///run/redis.sock?db=3',
    ].map((url) => [url, url]),
    bad: [
      'h:6379',
      'http://h',
      'redis://',
      'unix:',
      'unix:?db=1',
      'redis://h:0',
      'redis://h/abc',
      'redis://h/1x',
      'redis://h/-1',
      'redis://h/1/2',
      'redis://h?db=one',
      'redis://:p%zz@h',
      'redis://user:12#3@h',
      'unix:/run/redis.sock?db=one',
    ],
  },
  REDIS_USERNAME: {
    pick: ({ redis }) => redis.access?.username ?? null,
    byDefault: null,
    good: [['bridge', 'bridge']],
    bad: [],
  },
  REDIS_PASSWORD: {
    pick: ({ redis }) => (redis.access?.password ? readPassword(redis.access.password) : null),
    byDefault: null,
    good: [
      [SECRET, SECRET],
      [` ${SECRET}\n`, SECRET],
    ],
    bad: [' \n'],
  },
  REDIS_PASSWORD_FILE: {
    pick: ({ redis }) => (redis.access?.password?.kind === 'file' ? redis.access.password.path : null),
    byDefault: null,
    good: [[import.meta.filename, import.meta.filename]],
    bad: ['/no/such/file', '/dev/null', import.meta.dirname],
  },
  REDIS_TLS: {
    pick: ({ redis }) => redis.access?.tls ?? null,
    byDefault: false,
    good: [
      ['on', true],
      ['off', false],
    ],
    bad: ['true', 'On'],
  },
  REDIS_SENTINELS: addresses(({ redis }) => (redis.kind === 'sentinel' ? redis.sentinels : redis.kind), 'embedded'),
  REDIS_SENTINEL_NAME: {
    pick: ({ redis }) => (redis.kind === 'sentinel' ? redis.name : redis.kind),
    byDefault: 'embedded',
    good: [['mymaster', 'mymaster']],
    bad: [],
  },
  REDIS_CLUSTER: addresses(({ redis }) => (redis.kind === 'cluster' ? redis.nodes : redis.kind), 'embedded'),
  REDIS_PREFIX: {
    pick: ({ redis }) => redis.prefix,
    byDefault: 'runstate',
    good: [['bridge:test-1', 'bridge:test-1']],
    bad: ['a b', 'a{b}', 'x'.repeat(65)],
  },
  REDIS_MIN_REPLICAS: whole(({ redis }) => redis.minReplicas, 0, 0, 5),
  DATA_DIR: {
    pick: ({ redis }) => (redis.kind === 'embedded' ? redis.directory : redis.kind),
    byDefault: './data',
    good: [['/var/lib/bridge', '/var/lib/bridge']],
    bad: [],
  },
  PAYLOAD_KEYS: {
    pick: ({ payloadKeys }) => payloadKeys.map(revealed),
    byDefault: [],
    good: [
      [KEY_32, [KEY_32]],
      [`${KEY_32}, ${OTHER_KEY_32}`, [KEY_32, OTHER_KEY_32]],
    ],
    bad: [KEY_16, KEY_64, `${KEY_32},`, `${KEY_32},${KEY_16}`, 'no base64!'],
  },
  DEVICE_GROUP_KEYS: {
    pick: ({ http }) => http.groupKeys.map(revealed),
    byDefault: [],
    good: [
      [KEY_16, [KEY_16]],
      [`${KEY_64}, ${KEY_16}`, [KEY_64, KEY_16]],
    ],
    bad: ['AAAA', Buffer.alloc(15).toString('base64'), Buffer.alloc(65).toString('base64'), `${KEY_16},`, 'no base64!'],
  },
  TLS_CERT_FILE: file(({ identity }) => identity.tls?.certificateFile),
  TLS_KEY_FILE: file(({ identity }) => identity.tls?.keyFile),
  DEVICE_CA_FILE: file(({ identity }) => identity.devices?.authoritiesFile),
  DEVICE_ID_FROM_CERT: {
    pick: ({ identity }) => identity.devices?.rule ?? null,
    byDefault: null,
    good: [
      ['cn', { from: 'cn', before: '', after: '' }],
      ['cn:PC-{id}', { from: 'cn', before: 'PC-', after: '' }],
      ['san-dns', { from: 'san-dns', before: '', after: '' }],
      ['san-dns:{id}.pc.contoso.example', { from: 'san-dns', before: '', after: '.pc.contoso.example' }],
      ['san-uri:urn:device:{id}', { from: 'san-uri', before: 'urn:device:', after: '' }],
      ['intune-mdm', { from: 'intune-mdm', tenantId: TENANT }],
    ],
    bad: ['CN', 'san-uri', 'san-uri:{id}', 'san-uri:urn:device:', 'cn:{id}{id}', 'cn:', 'intune', 'ou'],
  },
  INTUNE_TENANT_ID: {
    pick: ({ identity }) =>
      identity.devices?.rule.from === 'intune-mdm' ? identity.devices.rule.tenantId : identity.devices,
    byDefault: null,
    good: [[TENANT.toUpperCase(), TENANT]],
    bad: ['contoso.onmicrosoft.com', TENANT.slice(1)],
  },
  TRUSTED_PROXIES: {
    pick: ({ identity }) => identity.trustedProxies,
    byDefault: [],
    good: [
      ['10.1.2.3', [{ address: '10.1.2.3', prefix: 32 }]],
      [
        '10.0.0.0/8, ::1,fd00::/8',
        [
          { address: '10.0.0.0', prefix: 8 },
          { address: '::1', prefix: 128 },
          { address: 'fd00::', prefix: 8 },
        ],
      ],
    ],
    bad: ['0.0.0.0/0', '::/0', '10.0.0.0/33', '10.0.0/8', 'localhost', '10.0.0.1,', '10.0.0.0/8/8', '10.0.0.1/'],
  },
  CLIENT_CERT_HEADER: {
    pick: ({ identity }) => identity.clientCertificateHeader,
    byDefault: 'client-cert',
    good: ['client-cert', 'Client-Cert', 'X-Amzn-Mtls-Clientcert', 'X-ARR-ClientCert', 'x_cert'].map((name) => [
      name,
      name.toLowerCase(),
    ]),
    bad: [
      'Client Cert',
      'client-cert:',
      'client-cert, x-forwarded-client-cert',
      'x'.repeat(65),
      'ä',
      // Anyone can send these through a proxy: taken for the proxy's, they would need no key.
      'Device-Certificate',
      'device-certificate-chain',
    ],
  },
  ENTRA_AUDIENCE: {
    pick: ({ identity }) => identity.entra,
    byDefault: null,
    good: [
      [
        'api://bridge, 5f6c1f0a-9b33-4b6f-9d1e-2f7a1f3b9052',
        {
          authorityHost: 'https://login.microsoftonline.com',
          tenantId: TENANT,
          audiences: ['api://bridge', '5f6c1f0a-9b33-4b6f-9d1e-2f7a1f3b9052'],
        },
      ],
    ],
    bad: ['api://bridge,', 'api://the bridge'],
  },
  OPERATOR_TOKEN: {
    pick: ({ http }) => revealed(http.operatorToken),
    byDefault: null,
    good: [['t'.repeat(32), 't'.repeat(32)]],
    bad: ['t'.repeat(31)],
  },
  AZURE_TENANT_ID: {
    pick: ({ graph }) => (graph.credential?.kind === 'secret' ? graph.credential.tenantId : null),
    byDefault: null,
    good: [['contoso.onmicrosoft.com', 'contoso.onmicrosoft.com']],
    bad: ['../common', 'a b'],
  },
  AZURE_CLIENT_ID: {
    pick: ({ graph }) => graph.credential?.clientId ?? null,
    byDefault: null,
    good: [['b3a1d9e2-0c47-4f6a-8a55-71d2e6c90f18', 'b3a1d9e2-0c47-4f6a-8a55-71d2e6c90f18']],
    bad: ['a/b'],
  },
  AZURE_CLIENT_SECRET: {
    pick: ({ graph }) => (graph.credential?.kind === 'secret' ? graph.credential.secret.reveal() : null),
    byDefault: null,
    good: [
      ['~ anything ~', '~ anything ~'],
      ['a secret of Kubernetes\r\n', 'a secret of Kubernetes'],
      [' \tspaces\n', 'spaces'],
    ],
    bad: [],
  },
  AZURE_CLIENT_SECRET_FILE: {
    pick: ({ graph }) => (graph.credential?.kind === 'secret-file' ? graph.credential.secretPath : null),
    byDefault: null,
    good: [['/run/secret', '/run/secret']],
    bad: [],
  },
  AZURE_CLIENT_CERTIFICATE_PATH: {
    pick: ({ graph }) => (graph.credential?.kind === 'certificate' ? graph.credential.certificatePath : null),
    byDefault: null,
    good: [['/run/app.pem', '/run/app.pem']],
    bad: [],
  },
  AZURE_CLIENT_CERTIFICATE_PASSWORD: {
    pick: ({ graph }) => (graph.credential?.kind === 'certificate' ? revealed(graph.credential.password) : null),
    byDefault: null,
    good: [['open sesame\n', 'open sesame']],
    bad: [],
  },
  HTTPS_PROXY: {
    pick: ({ graph }) => revealed(graph.proxy?.url ?? null),
    byDefault: null,
    good: [
      ['http://proxy.example:3128', 'http://proxy.example:3128'],
      ['http://user:p%40ss@proxy:3128', 'http://user:p%40ss@proxy:3128'],
      ['https://proxy', 'https://proxy'],
      ['proxy.example:3128', 'http://proxy.example:3128'],
    ],
    bad: ['socks5://proxy:1080', 'http://', 'http://a b'],
  },
  NO_PROXY: {
    pick: ({ graph }) => graph.proxy?.exempt ?? [],
    byDefault: [],
    good: [['localhost, .example.com 10.0.0.0/8', ['localhost', '.example.com', '10.0.0.0/8']]],
    bad: [],
  },
  AZURE_FEDERATED_TOKEN_FILE: {
    pick: ({ graph }) => (graph.credential?.kind === 'federated' ? graph.credential.tokenFilePath : null),
    byDefault: null,
    good: [['/run/token', '/run/token']],
    bad: [],
  },
  DEVICE_DIRECTORY: {
    pick: ({ directory }) => directory !== null,
    byDefault: false,
    good: [['entra', true]],
    bad: ['on', 'Entra', 'ad'],
  },
  DEVICE_DIRECTORY_REQUIRE: {
    pick: ({ directory }) => directory?.requirement ?? null,
    byDefault: null,
    good: [
      ['managed', 'managed'],
      ['enabled', 'enabled'],
    ],
    bad: ['compliant', 'Managed'],
  },
  DEVICE_DIRECTORY_MAX_AGE_H: {
    pick: ({ directory }) => directory?.maxAgeMs ?? null,
    byDefault: null,
    good: [
      ['1', 3_600_000],
      ['0.5', 1_800_000],
      ['168', 604_800_000],
    ],
    bad: ['0', '-1', '168.1', 'a day'],
  },
  DIRECTORY_CLIENT_ID: {
    pick: ({ directory }) => toDirectoryCredential(directory).clientId ?? null,
    byDefault: null,
    good: [['reader', 'reader']],
    bad: ['a b', 'a/b'],
  },
  DIRECTORY_CLIENT_SECRET: {
    pick: ({ directory }) => revealed(toDirectoryCredential(directory).secret),
    byDefault: null,
    good: [
      ['s3cret', 's3cret'],
      [' s3cret\n', 's3cret'],
    ],
    bad: [],
  },
  DIRECTORY_CLIENT_SECRET_FILE: file(({ directory }) => toDirectoryCredential(directory).secretPath),
  DIRECTORY_CLIENT_CERTIFICATE_PATH: file(({ directory }) => toDirectoryCredential(directory).certificatePath),
  DIRECTORY_FEDERATED_TOKEN_FILE: file(({ directory }) => toDirectoryCredential(directory).tokenFilePath),
  IDENTITY_ENDPOINT: {
    pick: ({ graph }) => graph.credential?.kind ?? null,
    byDefault: null,
    good: [['http://localhost:42356/msi/token', 'managed-identity']],
    bad: [],
  },
  AZURE_AUTHORITY_HOST: {
    pick: ({ graph }) => graph.authorityHost,
    byDefault: 'https://login.microsoftonline.com',
    good: [['https://localhost:9443/', 'https://localhost:9443']],
    bad: ['http://localhost', 'login.microsoftonline.com', 'https://u:p@h', 'https://:p@h', 'https://h?x=1'],
  },
  GRAPH_CLOUD: {
    pick: ({ graph }) => graph.scope,
    byDefault: 'https://graph.microsoft.com/.default',
    good: [['usgovdod', 'https://dod-graph.microsoft.us/.default']],
    bad: ['Global', 'germany'],
  },
  GRAPH_BASE_URL: {
    pick: ({ graph }) => graph.baseUrl,
    byDefault: 'https://graph.microsoft.com/beta',
    good: [['https://localhost:9443/beta/', 'https://localhost:9443/beta']],
    bad: ['http://localhost/beta', 'https://localhost', 'https://localhost/', 'https://h/beta?x=1', 'localhost/beta'],
  },
  GRAPH_WRITES_PER_20S: whole(({ delivery }) => delivery.writesPer20s, 100, 1, 1_000_000),
  UNCERTAIN_LOOK_AFTER_MS: whole(({ delivery }) => delivery.policy.lookAfterMs, 5000, 0, 3_600_000),
  HOLD_PROBE_MS: whole(({ delivery }) => delivery.holdProbeMs, 2000, 1, 3_600_000),
  WORKER_CONCURRENCY: whole(({ worker }) => worker.concurrency, 50, 1, 10_000),
  ATTEMPT_TIMEOUT_MS: whole(({ graph }) => graph.attemptTimeoutMs, 30_000, 1, 3_600_000),
  DELIVERY_MAX_AGE_H: hours(({ delivery }) => delivery.policy.maxAgeMs, 72 * 3_600_000),
  DEDUPE_WINDOW_H: hours(({ delivery }) => delivery.dedupeWindowMs, 168 * 3_600_000),
  DELIVERED_KEPT_H: hours(({ delivery }) => delivery.deliveredKeptMs, 24 * 3_600_000),
  PRIORITY: {
    pick: ({ delivery }) => delivery.priority,
    byDefault: 'fifo',
    good: [['failures-first', 'failures-first']],
    bad: ['lifo', 'FIFO'],
  },
  SUPERSEDE: {
    pick: ({ delivery }) => String(delivery.supersede),
    byDefault: 'false',
    good: [
      ['on', 'true'],
      ['off', 'false'],
    ],
    bad: ['yes', 'true'],
  },
  MAX_BODY_BYTES: whole(({ http }) => http.maxBodyBytes, 262_144, 1, 104_857_600),
  MAX_BATCH_BYTES: whole(({ http }) => http.maxBatchBytes, 16_777_216, 1, 104_857_600),
  MAX_REQUESTS_IN_FLIGHT: whole(({ http }) => http.maxRequestsInFlight, 1000, 1, 1_000_000),
  API_PROCESSES: whole(({ http }) => http.processes, 1, 1, 64),
  MAX_BACKLOG_BYTES: whole(({ backlog }) => backlog.maxBytes, null, 1, 100_000_000_000_000),
  MAX_BACKLOG_AGE_H: hours(({ backlog }) => backlog.maxAgeMs, null),
  DEVICE_RATE_PER_MIN: whole(({ http }) => http.deviceRatePerMin, 60, 0, 1_000_000),
  PUBLIC_BASE_PATH: {
    pick: ({ http }) => http.basePath,
    byDefault: '',
    good: [
      ['/bios', '/bios'],
      ['/bios/', '/bios'],
      ['/a/B_1/c.d~e-f', '/a/B_1/c.d~e-f'],
      ['/', ''],
      ['/v1', '/v1'],
    ],
    bad: [
      'bios',
      '//bios',
      '/a//b',
      '/a/../b',
      '/.',
      '/a b',
      '/a?b',
      '/a%2Fb',
      'https://a/b',
      '/"><x',
      `/${'x'.repeat(256)}`,
    ],
  },
  KEEP_ALIVE_TIMEOUT_MS: whole(({ keepAliveTimeoutMs }) => keepAliveTimeoutMs, 65_000, 1, 86_400_000),
  DRAIN_MS: whole(({ drainMs }) => drainMs, 0, 0, 3_600_000),
  SHUTDOWN_GRACE_MS: whole(({ shutdownGraceMs }) => shutdownGraceMs, 20_000, 0, 7_200_000),
  LOG_LEVEL: {
    pick: ({ logLevel }) => logLevel,
    byDefault: 'info',
    good: LOG_LEVELS.map((level) => [level, level]),
    bad: ['INFO', 'verbose'],
  },
  ALERT_WEBHOOK_URL: {
    pick: ({ alerts }) => alerts && `${alerts.format} ${alerts.url.reveal()}`,
    byDefault: null,
    good: [
      [
        'https://hooks.example/a?sp=%2Ftriggers%2Frun&sig=x_Y',
        'json https://hooks.example/a?sp=%2Ftriggers%2Frun&sig=x_Y',
      ],
      ['https://hooks.example/a?format=teams', 'teams https://hooks.example/a'],
      ['https://hooks.example/a?sp=%2Frun&format=teams', 'teams https://hooks.example/a?sp=%2Frun'],
      ['https://hooks.example/a?format=teams&sp=%2Frun&sig=1', 'teams https://hooks.example/a?sp=%2Frun&sig=1'],
      ['https://hooks.example/a?format=json', 'json https://hooks.example/a?format=json'],
      ...[
        'http://localhost:9000/',
        'http://10.1.2.3/',
        'http://172.31.0.1/',
        'http://192.168.0.9/',
        'http://100.64.0.1/',
        'http://[::1]:80/',
        'http://[fd00::1]/',
        'http://alerts/',
        'http://alerts.ops.svc/',
        'http://alerts.ops.svc.cluster.local/',
        'http://alerts.corp.internal./',
      ].map((url): [string, string] => [url, `json ${url}`]),
    ],
    bad: [
      'hooks.example',
      'ftp://hooks.example/',
      'http://hooks.example/',
      'http://8.8.8.8/',
      'http://172.32.0.1/',
      'http://[2001:db8::1]/',
      'http://localhost.example.com/',
      'https://user:password@hooks.example/',
      'https://hooks.example/#top',
    ],
  },
  ALERT_WEBHOOK_SECRET: {
    pick: ({ alerts }) => (alerts?.secret?.kind === 'given' ? alerts.secret.value.reveal() : null),
    byDefault: null,
    good: [SIGNING_KEY, SIGNING_KEY.slice('whsec_'.length), `${SIGNING_KEY},${SIGNING_KEY}`].map((key) => [key, key]),
    bad: ['secret', 'whsec_', `${SIGNING_KEY}x`, `whsec_${Buffer.alloc(23).toString('base64')}`],
  },
  ALERT_WEBHOOK_SECRET_FILE: {
    pick: ({ alerts }) => (alerts?.secret?.kind === 'file' ? alerts.secret.path : null),
    byDefault: null,
    good: [[KEY_FILE, KEY_FILE]],
    bad: ['/nowhere', 'package.json', import.meta.dirname],
  },
  PUBLIC_ORIGIN: {
    pick: ({ alerts }) => alerts?.linkBase ?? null,
    byDefault: null,
    good: [
      ['https://bridge.example', 'https://bridge.example'],
      ['http://localhost:8080/', 'http://localhost:8080'],
    ],
    bad: ['bridge.example', 'https://bridge.example/bios', 'ftp://bridge.example'],
  },
  TENANTS_FILE: file(({ tenantsFile }) => tenantsFile ?? undefined),
};

/** What a variable needs beside it to mean anything. */
const COMPANY: Partial<Record<Name, Environment>> = {
  REDIS_SENTINELS: { REDIS_SENTINEL_NAME: 'mymaster' },
  REDIS_SENTINEL_NAME: { REDIS_SENTINELS: 'a:1' },
  REDIS_MIN_REPLICAS: { REDIS_URL: 'redis://h' },
  TLS_CERT_FILE: { TLS_KEY_FILE: '/key' },
  TLS_KEY_FILE: { TLS_CERT_FILE: '/cert' },
  DEVICE_ID_FROM_CERT: { DEVICE_CA_FILE: '/ca', INTUNE_TENANT_ID: TENANT },
  INTUNE_TENANT_ID: { DEVICE_CA_FILE: '/ca', DEVICE_ID_FROM_CERT: 'intune-mdm' },
  CLIENT_CERT_HEADER: { DEVICE_CA_FILE: '/ca', TRUSTED_PROXIES: '10.0.0.1' },
  ENTRA_AUDIENCE: { AZURE_TENANT_ID: TENANT },
  DRAIN_MS: { SHUTDOWN_GRACE_MS: '7200000' },
  AZURE_TENANT_ID: { AZURE_CLIENT_ID: 'client', AZURE_CLIENT_SECRET: SECRET },
  AZURE_CLIENT_ID: { AZURE_TENANT_ID: 'tenant', AZURE_CLIENT_SECRET: SECRET },
  AZURE_CLIENT_SECRET: { AZURE_TENANT_ID: 'tenant', AZURE_CLIENT_ID: 'client' },
  AZURE_CLIENT_SECRET_FILE: { AZURE_TENANT_ID: 'tenant', AZURE_CLIENT_ID: 'client' },
  AZURE_CLIENT_CERTIFICATE_PATH: { AZURE_TENANT_ID: 'tenant', AZURE_CLIENT_ID: 'client' },
  AZURE_CLIENT_CERTIFICATE_PASSWORD: {
    AZURE_TENANT_ID: 'tenant',
    AZURE_CLIENT_ID: 'client',
    AZURE_CLIENT_CERTIFICATE_PATH: '/app.pem',
  },
  DEVICE_DIRECTORY_REQUIRE: DIRECTORY,
  DEVICE_DIRECTORY_MAX_AGE_H: DIRECTORY,
  DIRECTORY_CLIENT_ID: { ...DIRECTORY, AZURE_TENANT_ID: 'tenant', DIRECTORY_CLIENT_SECRET: 'secret' },
  DIRECTORY_CLIENT_SECRET: { ...DIRECTORY, ...DIRECTORY_APP },
  DIRECTORY_CLIENT_SECRET_FILE: { ...DIRECTORY, ...DIRECTORY_APP },
  DIRECTORY_CLIENT_CERTIFICATE_PATH: { ...DIRECTORY, ...DIRECTORY_APP },
  DIRECTORY_FEDERATED_TOKEN_FILE: { ...DIRECTORY, ...DIRECTORY_APP },
  NO_PROXY: { HTTPS_PROXY: 'http://proxy:3128' },
  AZURE_FEDERATED_TOKEN_FILE: { AZURE_TENANT_ID: 'tenant', AZURE_CLIENT_ID: 'client' },
  ALERT_WEBHOOK_SECRET: WEBHOOK,
  ALERT_WEBHOOK_SECRET_FILE: WEBHOOK,
  PUBLIC_ORIGIN: WEBHOOK,
};
const names = Object.keys(CASES) as Name[];
const roleFor = (name: Name): Role => (name === 'DEVICE_GROUP_KEYS' ? 'worker' : 'api');
const needed = (name: Name): Environment => (roleFor(name) === 'worker' ? worker : api);

describe.each(names)('%s', (name) => {
  const { pick, byDefault, good, bad } = CASES[name];

  test('unset or empty · takes its default', () => {
    expect(pick(parseConfig(needed(name), roleFor(name)))).toEqual(byDefault);
    expect(pick(parseConfig({ ...needed(name), [name]: '' }, roleFor(name)))).toEqual(byDefault);
  });

  test('a good value · is taken', () => {
    for (const [value, expected] of good) {
      const environment = { ...needed(name), ...COMPANY[name], [name]: value };
      expect(pick(parseConfig(environment, roleFor(name)))).toEqual(expected);
    }
    expect(good.length).toBeGreaterThan(0);
  });

  if (bad.length > 0) {
    test.each(bad)('a bad value · is refused by name · never by value: %j', (value) => {
      const faults = faultsOf({ ...needed(name), ...COMPANY[name], [name]: value }, roleFor(name));
      expect(faults).not.toEqual([]);
      for (const fault of faults) expect(fault).toMatch(new RegExp(`^${name} must `));
    });
  }
});

test('everything wrong at once · is reported together · each variable by its name, none by its value', () => {
  const wrong = names.filter((name) => CASES[name].bad.length > 0);
  const environment = Object.fromEntries(wrong.map((name) => [name, `http://wrong value of ${name.toLowerCase()}`]));
  const faults = faultsOf({ ...environment, OPERATOR_TOKEN: 'wrong value', REDIS_URL: 'wrong value' });
  expect(new Set(faults.map((fault) => fault.split(' ')[0]))).toEqual(
    new Set(['one', 'REDIS_SENTINEL_NAME', ...wrong]),
  );
  expect(faults.join('\n')).not.toContain('wrong value');
});

test.each([
  ['20000', undefined],
  ['5000', '5000'],
  ['5001', '5000'],
])('DRAIN_MS=%s within SHUTDOWN_GRACE_MS=%s · would never end in order · and is refused', (drainMs, graceMs) => {
  const faults = faultsOf(
    { ...api, DRAIN_MS: drainMs, ...(graceMs !== undefined && { SHUTDOWN_GRACE_MS: graceMs }) },
    'api',
  );
  expect(faults).toEqual(['DRAIN_MS must be less than SHUTDOWN_GRACE_MS, which counts it']);
});

test.each(['HOST', 'DATA_DIR', 'REDIS_USERNAME', 'REDIS_SENTINEL_NAME'] as const)(
  '%s of nothing but white space · is refused by name',
  (name) => {
    for (const blank of [' ', '\t', ' \r\n']) {
      expect(faultsOf({ ...worker, ...COMPANY[name], [name]: blank })).toEqual([`${name} must not be blank`]);
    }
  },
);

test('a secret of nothing but white space · is none', () => {
  expect(faultsOf({ ...worker, AZURE_CLIENT_SECRET: ' \r\n' })).toEqual([
    'AZURE_CLIENT_SECRET must be more than white space',
  ]);
});

test.each(['https_proxy', 'no_proxy'])('%s · in lower case · goes before the one in capitals', (name) => {
  const { graph } = parseConfig(
    { ...worker, HTTPS_PROXY: 'http://capitals:1', NO_PROXY: 'capitals', [name]: 'lower:1' },
    'worker',
  );
  const { url, exempt } = graph.proxy ?? {};
  expect(name === 'no_proxy' ? exempt : url?.reveal()).toEqual(name === 'no_proxy' ? ['lower:1'] : 'http://lower:1');
});

describe('what a role cannot do without', () => {
  const oneOf =
    'one of AZURE_CLIENT_SECRET, AZURE_CLIENT_SECRET_FILE, AZURE_CLIENT_CERTIFICATE_PATH, AZURE_FEDERATED_TOKEN_FILE or a managed identity (IDENTITY_ENDPOINT) is required';

  test.each<[Role, string, Environment, string[]]>([
    ['api', 'nothing', {}, ['DEVICE_GROUP_KEYS is required']],
    ['api', 'group keys', api, []],
    ['api', 'an audience of Entra’s alone', { AZURE_TENANT_ID: TENANT, ENTRA_AUDIENCE: 'api://b' }, []],
    ['api', 'devices’ authorities alone', { DEVICE_CA_FILE: '/ca' }, []],
    [
      'api',
      'a certificate without key',
      { ...api, TLS_CERT_FILE: '/c' },
      ['TLS_KEY_FILE is required with TLS_CERT_FILE'],
    ],
    [
      'api',
      'a key without certificate',
      { ...api, TLS_KEY_FILE: '/k' },
      ['TLS_CERT_FILE is required with TLS_KEY_FILE'],
    ],
    [
      'api',
      'Intune’s certificates of no tenant',
      { ...api, DEVICE_ID_FROM_CERT: 'intune-mdm' },
      ['INTUNE_TENANT_ID is required with intune-mdm, unless AZURE_TENANT_ID is a GUID'],
    ],
    [
      'api',
      'Intune’s certificates of a tenant known by its domain',
      { ...api, DEVICE_ID_FROM_CERT: 'intune-mdm', AZURE_TENANT_ID: 'contoso.onmicrosoft.com' },
      ['INTUNE_TENANT_ID is required with intune-mdm, unless AZURE_TENANT_ID is a GUID'],
    ],
    [
      'api',
      'Intune’s certificates of our tenant',
      { ...api, DEVICE_ID_FROM_CERT: 'intune-mdm', AZURE_TENANT_ID: TENANT },
      [],
    ],
    [
      'api',
      'an audience of no tenant',
      { ...api, ENTRA_AUDIENCE: 'api://b' },
      ['AZURE_TENANT_ID is required with ENTRA_AUDIENCE, as a GUID'],
    ],
    [
      'api',
      'an audience of a tenant known by its domain',
      { ...api, ENTRA_AUDIENCE: 'api://b', AZURE_TENANT_ID: 'contoso.onmicrosoft.com' },
      ['AZURE_TENANT_ID is required with ENTRA_AUDIENCE, as a GUID'],
    ],
    ['worker', 'nothing', {}, [oneOf]],
    ['worker', 'ids alone', { AZURE_TENANT_ID: 't', AZURE_CLIENT_ID: 'c' }, [oneOf]],
    [
      'worker',
      'a secret alone',
      { AZURE_CLIENT_SECRET: SECRET },
      ['AZURE_TENANT_ID is required', 'AZURE_CLIENT_ID is required'],
    ],
    [
      'worker',
      'a certificate without a tenant',
      { AZURE_CLIENT_ID: 'c', AZURE_CLIENT_CERTIFICATE_PATH: 'p' },
      ['AZURE_TENANT_ID is required'],
    ],
    [
      'worker',
      'a federated token without a client',
      { AZURE_TENANT_ID: 't', AZURE_FEDERATED_TOKEN_FILE: 'p' },
      ['AZURE_CLIENT_ID is required'],
    ],
    ['api', 'the device directory alone', DIRECTORY, []],
    ['worker', 'the device directory, with the worker’s credential', { ...worker, ...DIRECTORY }, []],
    [
      'worker',
      'a credential of the directory’s without its client id',
      { ...worker, ...DIRECTORY, DIRECTORY_CLIENT_SECRET: 's' },
      ['DIRECTORY_CLIENT_ID is required'],
    ],
    [
      'worker',
      'a client id of the directory’s without a credential',
      { ...worker, ...DIRECTORY, DIRECTORY_CLIENT_ID: 'c' },
      [
        'one of DIRECTORY_CLIENT_SECRET, DIRECTORY_CLIENT_SECRET_FILE, DIRECTORY_CLIENT_CERTIFICATE_PATH, DIRECTORY_FEDERATED_TOKEN_FILE is required with DIRECTORY_CLIENT_ID',
      ],
    ],
    ['worker', 'a managed identity', { IDENTITY_ENDPOINT: 'http://169.254.0.1/msi' }, []],
    ['worker', 'a secret', worker, []],
    [
      'worker',
      'two topologies',
      { ...worker, REDIS_URL: 'redis://h', REDIS_CLUSTER: 'a:1' },
      ['REDIS_URL and REDIS_CLUSTER exclude each other'],
    ],
    [
      'worker',
      'Sentinels without a name',
      { ...worker, REDIS_SENTINELS: 'a:1' },
      ['REDIS_SENTINEL_NAME is required with REDIS_SENTINELS'],
    ],
    [
      'worker',
      'a name without Sentinels',
      { ...worker, REDIS_SENTINEL_NAME: 'm' },
      ['REDIS_SENTINELS is required with REDIS_SENTINEL_NAME'],
    ],
    [
      'worker',
      'a password twice',
      { ...worker, REDIS_PASSWORD: SECRET, REDIS_PASSWORD_FILE: import.meta.filename },
      ['REDIS_PASSWORD and REDIS_PASSWORD_FILE exclude each other'],
    ],
    [
      'worker',
      'a signing key twice',
      { ...worker, ...WEBHOOK, ALERT_WEBHOOK_SECRET: SIGNING_KEY, ALERT_WEBHOOK_SECRET_FILE: KEY_FILE },
      ['ALERT_WEBHOOK_SECRET and ALERT_WEBHOOK_SECRET_FILE exclude each other'],
    ],
  ])('%s · %s · says what is missing', (role, _given, environment, faults) => {
    expect(faultsOf(environment, role)).toEqual(faults);
  });

  test('malformed and missing · are reported together · in one error', () => {
    expect(faultsOf({ PORT: 'x' }, 'api')).toEqual([
      'PORT must be a whole number from 0 to 65535',
      'DEVICE_GROUP_KEYS is required',
    ]);
    expect(EXIT_CONFIG).toBe(78);
  });

  test('more than one proof · the secret before the certificate before the token · a managed identity last', () => {
    const everything = {
      AZURE_CLIENT_CERTIFICATE_PATH: '/cert',
      AZURE_FEDERATED_TOKEN_FILE: '/token',
      IDENTITY_ENDPOINT: 'http://h',
    };
    const ids = { AZURE_TENANT_ID: 't', AZURE_CLIENT_ID: 'c' };
    const kindOf = (environment: Environment) => parseConfig(environment, 'worker').graph.credential?.kind;
    expect(kindOf({ ...worker, ...everything })).toBe('secret');
    expect(kindOf({ ...ids, ...everything })).toBe('certificate');
    expect(kindOf({ ...ids, AZURE_FEDERATED_TOKEN_FILE: '/token', IDENTITY_ENDPOINT: 'http://h' })).toBe('federated');
    expect(parseConfig({ AZURE_CLIENT_ID: 'c', IDENTITY_ENDPOINT: 'http://h' }, 'worker').graph.credential).toEqual({
      kind: 'managed-identity',
      clientId: 'c',
    });
  });
});

describe('a cloud', () => {
  test.each([
    ['global', 'https://graph.microsoft.com', 'https://login.microsoftonline.com'],
    ['usgov', 'https://graph.microsoft.us', 'https://login.microsoftonline.us'],
    ['usgovdod', 'https://dod-graph.microsoft.us', 'https://login.microsoftonline.us'],
    ['china', 'https://microsoftgraph.chinacloudapi.cn', 'https://login.chinacloudapi.cn'],
  ])('%s · sets root, authority and scope · together', (cloud, root, authorityHost) => {
    expect(config({ GRAPH_CLOUD: cloud }).graph).toMatchObject({
      baseUrl: `${root}/beta`,
      scope: `${root}/.default`,
      authorityHost,
      instanceDiscovery: true,
    });
  });

  test('addresses of one’s own · keep the cloud’s scope · and turn instance discovery off', () => {
    const own = { GRAPH_BASE_URL: 'https://localhost:1/beta', AZURE_AUTHORITY_HOST: 'https://localhost:1' };
    expect(config({ ...own, GRAPH_CLOUD: 'usgov' }).graph).toMatchObject({
      baseUrl: 'https://localhost:1/beta',
      authorityHost: 'https://localhost:1',
      scope: 'https://graph.microsoft.us/.default',
      instanceDiscovery: false,
    });
    expect(config({ AZURE_AUTHORITY_HOST: 'https://login.microsoftonline.us/' }).graph.instanceDiscovery).toBe(true);
  });
});

describe('a secret', () => {
  const secrets = {
    ...both,
    DEVICE_GROUP_KEYS: KEY_64,
    OPERATOR_TOKEN: `op-${SECRET}`,
    PAYLOAD_KEYS: KEY_32,
    REDIS_URL: `redis://:${SECRET}@h`,
    REDIS_PASSWORD: SECRET,
  };
  const configured = parseConfig(secrets, 'worker');

  test('in the configuration · is there to be used · and shows nowhere', () => {
    const shown = [
      JSON.stringify(configured),
      inspect(configured, { depth: 9, showHidden: true }),
      inspect(configured),
    ];
    for (const text of shown) {
      expect(text).toContain('[secret]');
      expect(text).not.toContain(SECRET);
      expect(text).not.toContain(KEY_64);
      expect(text).not.toContain(KEY_32);
    }
    expect(configured.http.operatorToken?.reveal()).toBe(`op-${SECRET}`);
  });

  test('by itself · prints [secret] · however it is printed', () => {
    const secret = toSecret(SECRET);
    const printed = [JSON.stringify(secret), String(secret), inspect(secret), `${secret.toString()}!`, [secret].join()];
    expect(printed).toEqual(['"[secret]"', '[secret]', '[secret]', '[secret]!', '[secret]']);
  });
});

test('the configuration · is frozen · to its depths', () => {
  const loose: string[] = [];
  const visit = (value: unknown, path: string): void => {
    if (typeof value !== 'object' || value === null) return;
    if (!Object.isFrozen(value)) loose.push(path);
    for (const [name, member] of Object.entries(value)) visit(member, `${path}.${name}`);
  };
  visit(config({ REDIS_SENTINELS: 'a:1', REDIS_SENTINEL_NAME: 'm' }), 'config');
  expect(loose).toEqual([]);
});

test('group keys for the command line · decoded in order · none where one is bad', () => {
  expect(parseGroupKeys(`${KEY_16}, ${KEY_64}`)).toEqual([Buffer.alloc(16, 1), Buffer.alloc(64, 2)]);
  expect(parseGroupKeys(`${KEY_16},nonsense`)).toEqual([]);
  expect(parseGroupKeys(undefined)).toEqual([]);
});

describe('.env.example', () => {
  const text = readFileSync(new URL('../../.env.example', import.meta.url), 'utf8');
  const lines = [...text.matchAll(/^#?([A-Z][A-Z0-9_]*)=(.*)$/gm)].map(([, name = '', value = '']) => ({
    name,
    value,
  }));

  test('has a line for every variable · and for nothing else', () => {
    expect(lines.map(({ name }) => name).sort()).toEqual(Object.keys(environmentSchema.shape).sort());
  });

  test('says what each is for · in the line above it', () => {
    expect(text).not.toMatch(/(^|\n)(?!# )[^\n]*\n#?[A-Z][A-Z0-9_]*=/);
  });

  test('shows every default · and the defaults alone', () => {
    const schema = environmentSchema.parse({}) as Record<string, string | number | undefined>;
    for (const { name, value } of lines) expect(value, name).toBe(String(schema[name] ?? ''));
  });
});

describe('what an address of Redis says', () => {
  const says = (url: string) => {
    const address = parseRedisUrl(url);
    if (typeof address === 'string') throw new Error(address);
    return address;
  };
  const nothing = { username: null, password: null, tls: false, db: 0, family: null };

  test.each<[string, Partial<RedisAddress>]>([
    ['redis://h', { server: { host: 'h', port: 6379 } }],
    ['redis://[::1]:7/0/', { server: { host: '::1', port: 7 } }],
    [
      'rediss://u:p%40%25@h/16',
      { server: { host: 'h', port: 6379 }, username: 'u', password: 'p@%', tls: true, db: 16 },
    ],
    ['redis://:p@h?db=2&family=4', { server: { host: 'h', port: 6379 }, password: 'p', db: 2, family: 4 }],
    ['redis://h?family=0&whatever=1', { server: { host: 'h', port: 6379 } }],
    ['unix:/a b/r@s.sock', { server: { path: '/a b/r@s.sock' } }],
    ['unix:r.sock?db=4', { server: { path: 'r.sock' }, db: 4 }],
    ['unix:///r.sock', { server: { path: '/r.sock' } }],
    ['unix://u:p%3A:q@/r.sock?db=0', { server: { path: '/r.sock' }, username: 'u', password: 'p::q' }],
  ])('%s · in parts', (url, expected) => {
    expect(says(url)).toEqual({ ...nothing, ...expected });
  });

  test('what is wrong · is reported without the address', () => {
    const faults = ['redis://h/s3cret', 'redis://:s3cret%@h', 'redis://s3cret:1#@h', 's3cret', 'unix:/x?db=s3cret'].map(
      parseRedisUrl,
    );
    for (const fault of faults) expect(fault).toEqual(expect.stringMatching(/^must(?!.*s3cret)/));
  });
});

// A deployment in which every secret is marked: real processes, through normal and failing operation.
import { expect } from 'vitest';
import { createSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts';
import type { Answer } from './answer.ts';
import { runResult, sign, type Signing } from './device.ts';
import { startProcess, type TestProcess } from './process.ts';
import { send } from './raw-http.ts';
import { startTestRedis, type TestRedis } from './redis.ts';
import { until } from './until.ts';

/** Device and personal data, and passwords printed by a BIOS tool: only Graph may see them, or nobody. */
export const SAID = {
  output: 'mArKeD-oUtPuT-7f3a',
  error: 'mArKeD-eRrOr-91bc',
  upn: 'marked.person@contoso.example',
  deviceName: 'MARKED-DEVICE-NAME',
  osVersion: 'marked-os-10.0',
};
export const PASSWORDS = ['mArKeD-pAsSwOrD-1', 'mArKeD-pAsSwOrD-2', 'mArKeD-pAsSwOrD-3', 'mArKeD-pAsSwOrD-4'] as const;
export const SECRETS = {
  groupKey: Buffer.from('marked group key, thirty-two byte').toString('base64'),
  operatorToken: 'marked-operator-token-0123456789abcdef',
  clientSecret: 'mArKeD~client.secret~0123456789',
  payloadKey: Buffer.from('marked payload key of 32 bytes..').toString('base64'),
};
/** Markers that strangers put where they do not belong. */
export const STRANGE = { path: 'mArKeD-pAtH', query: 'mArKeD-qUeRy', bearer: 'mArKeD-bEaReR', agent: 'mArKeD-aGeNt' };

const OUTPUT = [
  SAID.output,
  `cctk --setuppwd=${PASSWORDS[0]} --valsetuppwd="${PASSWORDS[1]}"`,
  `SetBiosSetting("SecureBoot,Enable,${PASSWORDS[2]},ascii,us")`,
].join('\n');
const ERROR = `${SAID.error}: BiosConfigUtility64 /cspwd:"${PASSWORDS[3]}" failed`;

/** A run result that contains all of it. */
export const markedRun = (runId: string, members: object = {}) =>
  runResult({ runId, ...SAID, output: OUTPUT, error: ERROR, ...members });

export type MarkedWorld = {
  redis: TestRedis;
  sandbox: Sandbox;
  api: TestProcess;
  worker: TestProcess;
  answers: Answer[];
  /** Metrics and health of both processes. */
  scrapes: string[];
  signatures: string[];
  close: () => Promise<void>;
};

/** Starts the deployment and runs it through normal and failing operation. */
export async function liveMarkedDays(): Promise<MarkedWorld> {
  const answers: Answer[] = [];
  const scrapes: string[] = [];
  const signatures: string[] = [];

  const redis = await startTestRedis();
  const sandbox = await createSandbox({ clientSecret: SECRETS.clientSecret });
  const env = {
    ...sandbox.environment(),
    REDIS_URL: redis.url,
    HOST: '127.0.0.1',
    DEVICE_GROUP_KEYS: SECRETS.groupKey,
    OPERATOR_TOKEN: SECRETS.operatorToken,
    PAYLOAD_KEYS: SECRETS.payloadKey,
    PORT: '0',
    WORKER_PORT: '0',
    LOG_LEVEL: 'trace',
    UNCERTAIN_LOOK_AFTER_MS: '100',
    ATTEMPT_TIMEOUT_MS: '1000',
    HOLD_PROBE_MS: '100',
    GRAPH_WRITES_PER_20S: '2000',
  };
  const [api, worker] = [startProcess('src/main.ts', env), startProcess('workers/main.ts', env)];
  const port = Number((await api.line('listening'))['port']);
  const workerPort = Number((await worker.line('working'))['port']);

  const run = (runId: string, members: object = {}) =>
    markedRun(runId, { hardwareConfigurationId: sandbox.configurationIds[0], ...members });

  async function ask(method: string, path: string, headers: Record<string, string>, body: string | null = null) {
    const answer = await send({ port, method, path, headers: { 'User-Agent': STRANGE.agent, ...headers }, body });
    answers.push(answer);
    return answer;
  }

  async function submit(members: object | string, signing: Partial<Signing> = {}): Promise<Answer> {
    const body = typeof members === 'string' ? members : JSON.stringify(members);
    const signed = sign({ body, groupKey: SECRETS.groupKey, ...signing });
    signatures.push(signed.Signature.slice('device=:'.length, -1));
    return ask('POST', '/v1/run-results', { 'Content-Type': 'application/json', ...signed }, body);
  }

  async function read(deliveryId: string): Promise<Record<string, unknown>> {
    const path = `/v1/deliveries/${deliveryId}`;
    const signed = sign({ method: 'GET', path, body: null, groupKey: SECRETS.groupKey });
    return (await ask('GET', path, { ...signed })).body as Record<string, unknown>;
  }

  async function reaches(answer: Answer, status: string): Promise<void> {
    const { deliveryId } = answer.body as { deliveryId: string };
    await until(`${deliveryId} is ${status}`, async () => (await read(deliveryId))['status'] === status, 15_000);
  }

  async function operate(path: string, body?: object): Promise<unknown> {
    const headers = {
      Authorization: `Bearer ${SECRETS.operatorToken}`,
      ...(body && { 'Content-Type': 'application/json' }),
    };
    return (await ask(body ? 'POST' : 'GET', path, headers, body ? JSON.stringify(body) : null)).body;
  }

  async function held(reason: string): Promise<void> {
    await until(`a hold, ${reason}`, async () => JSON.stringify(await operate('/v1/status')).includes(reason), 10_000);
  }

  async function goodDays(): Promise<void> {
    const first = await submit(run('run-1'));
    await reaches(first, 'delivered');
    await submit(run('run-1'));
    await submit(run('run-1', { output: `${OUTPUT} other` }));
  }

  /** 401, 403, 404, 405, 415, 422 and broken JSON, each with a marker that must not leak. */
  async function strangers(): Promise<void> {
    await submit(run('run-2'), { groupKey: Buffer.alloc(32).toString('base64') });
    await submit(run('run-2'), { createdS: 1 });
    await submit(run('run-2', { deviceId: 'other' }));
    await submit(`${JSON.stringify(run('run-2'))}]`);
    await submit(run('run-2', { policyVersion: SAID.output, state: SAID.error, completedAt: SAID.output, upn: 7 }));
    await submit({ [SAID.output]: SAID.error, deviceName: [SAID.upn] });
    await ask('GET', `/v1/${STRANGE.path}?x=${STRANGE.query}`, {});
    await ask('DELETE', `/v1/run-results?${STRANGE.query}`, {});
    await ask('GET', `/v1/deliveries/${STRANGE.path}`, { Authorization: `Bearer ${STRANGE.bearer}` });
    await ask('GET', '/v1/status', { Authorization: `Bearer ${STRANGE.bearer}` });
    await ask('GET', `/v1/dead-letters?limit=${STRANGE.query}`, { Authorization: `Bearer ${SECRETS.operatorToken}` });
    await ask('POST', '/v1/run-results', { 'Content-Type': 'text/plain' }, JSON.stringify(run('run-2')));
  }

  /** Dead letters, lost responses, throttling, holds for every reason, Redis down for a while. */
  async function badDays(): Promise<void> {
    sandbox.script('next 1 create: 400');
    await reaches(await submit(run('run-3')), 'dead');
    sandbox.script('next 1 create: 504 after the write');
    await reaches(await submit(run('run-4', { completedAt: '2026-11-20T11:00:00Z' })), 'delivered');
    sandbox.script('next 1 create: 429 with Retry-After 1');
    await reaches(await submit(run('run-5', { completedAt: '2026-11-20T12:00:00Z' })), 'delivered');
    sandbox.set({ permission: 'taken-away' });
    const waiting = await submit(run('run-6', { completedAt: '2026-11-20T13:00:00Z' }));
    await held('forbidden');
    sandbox.set({ permission: 'granted' });
    await reaches(waiting, 'delivered');
    sandbox.set({ secret: 'revoked', tokens: 'revoked' });
    const refused = await submit(run('run-7', { completedAt: '2026-11-20T14:00:00Z' }));
    await held('credential-refused');
    sandbox.set({ secret: 'valid' });
    await reaches(refused, 'delivered');
    redis.signal('SIGSTOP');
    expect((await submit(run('run-8'))).status).toBe(503);
    redis.signal('SIGCONT');
    await until('the API takes run results again', async () => (await submit(run('run-8'))).status < 300, 10_000);
    await operate('/v1/dead-letters');
    await operate('/v1/dead-letters/replay', { filter: {}, dryRun: true });
  }

  await goodDays();
  await strangers();
  await badDays();
  for (const path of ['/metrics', '/readyz', '/livez']) {
    for (const on of [port, workerPort]) scrapes.push(await (await fetch(`http://127.0.0.1:${on}${path}`)).text());
  }
  return {
    redis,
    sandbox,
    api,
    worker,
    answers,
    scrapes,
    signatures,
    close: async () => {
      for (const process of [worker, api]) {
        process.signal('SIGTERM');
        await process.ended;
      }
      await sandbox.close();
      await redis.close();
    },
  };
}

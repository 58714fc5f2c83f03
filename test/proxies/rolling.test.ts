// A real proxy before two APIs: idle connections closed by either side, and both APIs replaced under load; nobody hears a 502.
import { once } from 'node:events';
import { Agent, request, type IncomingMessage } from 'node:http';
import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { GROUP_KEY, runResult, sign } from '../support/device.ts';
import { freePort } from '../support/free-port.ts';
import { startProcess, type TestProcess } from '../support/process.ts';
import { PROXIES, startHaproxy, startNginx, titled, type Proxy } from '../support/proxies.ts';
import { send } from '../support/raw-http.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const DRAIN_MS = 1500;
const SENDERS = 8;

/** How long the proxy keeps idle connections to us. */
type Front = (ports: readonly number[], keptMs: number) => Promise<Proxy>;

const FRONTS: Record<keyof typeof PROXIES, Front> = {
  nginx: (ports, keptMs) =>
    startNginx(
      (port) => `
        upstream bridge {
          ${ports.map((to) => `server 127.0.0.1:${to} max_fails=0;`).join('\n')}
          keepalive 32;
          keepalive_timeout ${keptMs}ms;
        }
        server {
          listen 127.0.0.1:${port};
          location / {
            proxy_pass http://bridge;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            # nginx asks nobody whether he is ready. A run result sent twice is one delivery: it may be tried again.
            proxy_next_upstream error timeout non_idempotent;
          }
        }`,
    ),
  haproxy: (ports, keptMs) =>
    startHaproxy(
      (port) => `
frontend in
  bind 127.0.0.1:${port}
  default_backend bridge
backend bridge
  option httpchk GET /readyz
  option redispatch 1
  timeout check 5s
  http-reuse always
  default-server check inter 100ms fall 1 rise 1 pool-purge-delay ${keptMs}ms
${ports.map((to, at) => `  server api${at} 127.0.0.1:${to}`).join('\n')}`,
    ),
};

let redis: TestRedis;
const closing: (() => unknown)[] = [];

beforeEach(async () => {
  redis = await startTestRedis('--appendfsync', 'no');
  closing.push(redis.close);
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function startApi(port: number, env: Record<string, string> = {}): Promise<TestProcess> {
  const api = startProcess('src/main.ts', {
    REDIS_URL: redis.url,
    HOST: '127.0.0.1',
    PORT: String(port),
    DEVICE_GROUP_KEYS: GROUP_KEY,
    DEVICE_RATE_PER_MIN: '0',
    LOG_LEVEL: 'warn',
    DRAIN_MS: String(DRAIN_MS),
    ...env,
  });
  closing.push(api.close);
  const isReady = async () => (await send({ port, method: 'GET', path: '/readyz' }).catch(() => null))?.status === 200;
  await until('the API is ready', isReady, 20_000);
  return api;
}

async function ask(port: number, agent: Agent, number: number): Promise<number> {
  const body = JSON.stringify(runResult({ runId: `run-${number}` }));
  const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body), ...sign({ body }) };
  const isPost = number % 2 === 0;
  const to = { host: '127.0.0.1', port, agent };
  const outgoing = isPost
    ? request({ ...to, method: 'POST', path: '/v1/run-results', headers }).end(body)
    : request({ ...to, path: '/livez' }).end();
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
  answer.resume();
  await once(answer, 'end');
  return answer.statusCode ?? 0;
}

/** Submits and asks without pause until told to stop. */
function load(port: number) {
  const answers = new Map<string, number>();
  const agent = new Agent({ keepAlive: true });
  let number = 0;
  let isOver = false;
  const senders = Array.from({ length: SENDERS }, async () => {
    while (!isOver) {
      const status = await ask(port, agent, number++).catch(String);
      answers.set(String(status), (answers.get(String(status)) ?? 0) + 1);
    }
  });
  return {
    sent: () => number,
    stop: async () => {
      isOver = true;
      await Promise.all(senders);
      agent.destroy();
      return Object.fromEntries(answers);
    },
  };
}

describe.each(['nginx', 'haproxy'] as const)('%s', (name) => {
  describe.skipIf(!PROXIES[name])(titled(name, 'in front'), () => {
    test('both APIs replaced by SIGTERM under load · one after the other · every request is answered well', async () => {
      const ports = [await freePort(), await freePort()] as const;
      const first = await startApi(ports[0]);
      const second = await startApi(ports[1]);
      const proxy = await FRONTS[name](ports, 60_000);
      closing.push(proxy.close);
      const { sent, stop } = load(proxy.port);
      const serveOn = async () => {
        const before = sent();
        await until('the load goes on', () => sent() > before + 100, 20_000);
      };
      await serveOn();
      const ups = () => proxy.said().split(' is UP').length;
      for (const [old, port] of [
        [first, ports[0]],
        [second, ports[1]],
      ] as const) {
        old.signal('SIGTERM');
        expect(await old.ended).toBe(0);
        await serveOn();
        const before = ups();
        await startApi(port);
        if (name === 'haproxy') await until('HAProxy knows it', () => ups() > before, 10_000);
        await serveOn();
      }
      const answers = await stop();
      expect(Object.keys(answers).sort(), `${JSON.stringify(answers)} ${proxy.said()}`).toEqual(['200', '202']);
    }, 90_000);

    test.each([
      ['longer', '400', 60_000],
      ['shorter', '65000', 400],
    ])(
      'idle connections that it keeps %s than we do · are closed by one side · and the next request finds its way',
      async (_how, oursMs, theirsMs) => {
        const port = await freePort();
        await startApi(port, { KEEP_ALIVE_TIMEOUT_MS: oursMs });
        const proxy = await FRONTS[name]([port], theirsMs);
        closing.push(proxy.close);
        const agent = new Agent({ keepAlive: true });
        for (let number = 0; number < 4; number += 2) {
          expect(await ask(proxy.port, agent, number)).toBe(202);
          if (name === 'nginx')
            await until('the connection behind is closed', async () => !(await isConnected(port)), 9000);
        }
        agent.destroy();
      },
      60_000,
    );
  });
});

/** Whether anybody holds a connection to this port of this machine. */
async function isConnected(port: number): Promise<boolean> {
  const table = await readFile('/proc/net/tcp', 'utf8');
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  return table.split('\n').some((line) => new RegExp(`^ *\\d+: \\w+:\\w+ \\w+:${hex} 01 `).test(line));
}

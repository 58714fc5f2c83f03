// The way to Graph and to the token endpoint: both through HTTPS_PROXY, with what was surely not sent told from what may have been.
import { describe, expect, test } from 'vitest';
import type { ProxyConfig } from '../../src/config/graph.ts';
import { createGraphClient } from '../../src/graph/client.ts';
import { requestGraph, configurationUrl, obtainToken } from '../../src/graph/inspection/inspect.ts';
import { proxyFor } from '../../src/graph/proxy.ts';
import { toSecret } from '../../src/config/secret.ts';
import { freePort } from '../support/free-port.ts';
import { startGraph } from '../support/graph.ts';
import { startTunnelProxy, type Tunnel } from '../support/tunnel-proxy.ts';

const PROXY = 'http://proxy.example:3128';
const configured = (exempt: string[] = [], url = PROXY): ProxyConfig => ({ url: toSecret(url), exempt });

describe('NO_PROXY', () => {
  test.each<[exempt: string, url: string, isExempt: boolean]>([
    ['graph.microsoft.com', 'https://graph.microsoft.com/beta', true],
    ['GRAPH.Microsoft.com', 'https://graph.microsoft.com/beta', true],
    ['microsoft.com', 'https://graph.microsoft.com/beta', true],
    ['.microsoft.com', 'https://graph.microsoft.com/beta', true],
    ['.microsoft.com', 'https://microsoft.com/', true],
    ['*.microsoft.com', 'https://graph.microsoft.com/beta', true],
    ['*.microsoft.com', 'https://microsoft.com/', false],
    ['soft.com', 'https://graph.microsoft.com/beta', false],
    ['graph.microsoft.com', 'https://login.microsoftonline.com/', false],
    ['*', 'https://graph.microsoft.com/beta', true],
    ['localhost:9443', 'https://localhost:9443/beta', true],
    ['localhost:9444', 'https://localhost:9443/beta', false],
    ['graph.microsoft.com:443', 'https://graph.microsoft.com/beta', true],
    ['127.0.0.1', 'https://127.0.0.1:9443/beta', true],
    ['10.0.0.0/8', 'https://10.20.30.40/beta', true],
    ['10.0.0.0/8', 'https://11.20.30.40/beta', false],
    ['::1', 'https://[::1]:9443/beta', true],
    ['[::1]:9443', 'https://[::1]:9443/beta', true],
    ['fd00::/8', 'https://[fd12::1]/beta', true],
    ['10.0.0.0/99', 'https://10.0.0.1/', false],
    ['', 'https://graph.microsoft.com/beta', false],
  ])('%s · for %s · %s', (exempt, url, isExempt) => {
    expect(proxyFor(url, configured([exempt]))).toBe(isExempt ? null : PROXY);
  });

  test('no proxy · is no way through one', () => {
    expect(proxyFor('https://graph.microsoft.com', null)).toBeNull();
  });
});

const through = (port: number, exempt: string[] = [], credentials = '') =>
  configured(exempt, `http://${credentials}127.0.0.1:${port}`);

describe('with a proxy', () => {
  test('token and create · both go through it · with its credentials', async () => {
    await using proxy = await startTunnelProxy();
    await using graph = await startGraph({ config: { proxy: through(proxy.port, [], 'user:p%40ss@') } });
    const created = await graph.create(graph.state({ deviceName: 'behind-a-proxy' }));
    expect(created.kind).toBe('created');
    const { host } = new URL(graph.config.baseUrl);
    const authority = new URL(graph.config.authorityHost).host;
    const credentials = `Basic ${Buffer.from('user:p@ss').toString('base64')}`;
    expect(new Set(proxy.asked)).toEqual(new Set([`${host} ${credentials}`, `${authority} ${credentials}`]));
  });

  test('a host that NO_PROXY names · is dialled directly · by both', async () => {
    await using proxy = await startTunnelProxy();
    await using graph = await startGraph({ config: { proxy: through(proxy.port, ['localhost']) } });
    expect((await graph.create(graph.state({ deviceName: 'beside-the-proxy' }))).kind).toBe('created');
    expect(proxy.asked).toEqual([]);
  });

  test('the doctor · takes the same way', async () => {
    await using proxy = await startTunnelProxy();
    await using graph = await startGraph({ config: { proxy: through(proxy.port) } });
    const obtained = await obtainToken(graph.config, Date.now);
    expect(obtained.kind).toBe('token');
    const token = obtained.kind === 'token' ? obtained.value : '';
    const answered = await requestGraph(
      { method: 'GET', url: configurationUrl(graph.config), token },
      graph.config,
      Date.now,
    );
    expect(answered.status).toBe(200);
    expect(new Set(proxy.asked.map((line) => line.split(' ')[0]))).toEqual(
      new Set([new URL(graph.config.baseUrl).host, new URL(graph.config.authorityHost).host]),
    );
  });
});

describe('a proxy that opens no tunnel · nothing was sent', () => {
  const TUNNELS: [what: string, tunnel: Tunnel][] = [
    ['asks for credentials', (_, socket) => socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n')],
    ['forbids the host', (_, socket) => socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n')],
    ['does not reach the host', (_, socket) => socket.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n')],
    ['hangs up', (_, socket) => socket.destroy()],
    ['resets', (_, socket) => socket.resetAndDestroy()],
    ['never answers', () => undefined],
  ];

  test.each(TUNNELS)('%s', async (_what, tunnel) => {
    await using graph = await startGraph();
    await using proxy = await startTunnelProxy(tunnel);
    const config = { ...graph.config, proxy: through(proxy.port), attemptTimeoutMs: 2000 };
    const client = createGraphClient({ config, tokens: graph.tokens, clock: Date.now, ended: () => undefined });
    const outcome = await client.create(
      graph.state({ deviceName: 'never-sent' }),
      Date.now(),
      new AbortController().signal,
    );
    await client.close();
    expect(outcome).toMatchObject({ kind: 'not-sent', upstream: 'graph' });
    expect(proxy.asked).toHaveLength(1);
    expect(graph.sandbox.stats().createsApplied).toBe(0);
  });

  test('is not there', async () => {
    const port = await freePort();
    await using graph = await startGraph({ config: { proxy: through(port) } });
    const token = await graph.tokens.get();
    expect(token).toMatchObject({ ok: false, failure: { kind: 'not-sent', upstream: 'token-endpoint' } });
    expect(JSON.stringify(token)).toContain('ECONNREFUSED');
  });
});

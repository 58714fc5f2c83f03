// How a device reaches the bridge: through a proxy if there is one, and trusting a private authority if it is given.
import { Agent, EnvHttpProxyAgent, fetch as fetchBy, ProxyAgent, type Dispatcher } from 'undici';

export type Connection = { fetch: typeof globalThis.fetch; close: () => Promise<void> };

export type ConnectionOptions = {
  /** Authorities in PEM, instead of those that Node trusts. */
  ca?: string;
  /** `http://` or `https://` with an optional `user:password@`; instead of `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`. Empty: none. */
  proxy?: string;
};

const CONNECT_TIMEOUT_MS = 15_000;

export function connect(options: ConnectionOptions): Connection {
  const dispatcher = toDispatcher(options);
  const fetch = (url: URL, init: object) => fetchBy(url, { ...init, dispatcher });
  return { fetch: fetch as unknown as typeof globalThis.fetch, close: () => dispatcher.destroy() };
}

function toDispatcher({ ca, proxy }: ConnectionOptions): Dispatcher {
  const tls = ca === undefined ? {} : { ca };
  const direct = { connect: { timeout: CONNECT_TIMEOUT_MS, ...tls } };
  const through = { ...direct, requestTls: tls, proxyTls: tls };
  if (proxy === undefined) return new EnvHttpProxyAgent(through);
  return proxy === '' ? new Agent(direct) : new ProxyAgent({ uri: proxy, ...through });
}

// A fetch that uses the same proxy rules as requests to Graph: HTTPS_PROXY and NO_PROXY.
import { fetch as fetchBy } from 'undici';
import type { ProxyConfig } from '../config/graph.ts';
import { proxyFor } from './proxy.ts';
import { createAgent, rootCause } from './transport.ts';

export type FetchOptions = {
  signal: AbortSignal;
  method?: 'POST';
  headers?: Record<string, string>;
  body?: string;
  redirect?: 'manual';
};

export type Fetch = (url: string, options: FetchOptions) => Promise<Response>;

/**
 * Rejects with the reason if there is no response.
 * @param url of the first request; all requests go to the same host
 */
export function createFetch(url: string, proxy: ProxyConfig | null, timeoutMs: number): Fetch {
  const dispatcher = createAgent(timeoutMs, proxyFor(url, proxy));
  return async (asked, options) => {
    try {
      const { status, headers, body } = await fetchBy(asked, { ...options, dispatcher });
      return new Response(body, { status, headers: [...headers] });
    } catch (error) {
      throw rootCause(error);
    }
  };
}

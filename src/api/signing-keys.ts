// The way to the keys that Entra signs with: that of all requests to Microsoft; loaded only where tokens are taken.
import type { Config } from '../config/config.ts';
import type { FetchKeys } from '../http/identity/entra/token.ts';

export async function openFetchKeys({ graph }: Pick<Config, 'graph'>): Promise<FetchKeys> {
  const { createFetch } = await import('../graph/fetch.ts');
  return createFetch(graph.authorityHost, graph.proxy, graph.attemptTimeoutMs);
}

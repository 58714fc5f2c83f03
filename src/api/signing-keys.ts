// Fetches Entra's signing keys the way all requests to Microsoft go; loaded only where Entra tokens are accepted.
import type { Config } from '../config/config.ts';
import type { FetchKeys } from '../http/identity/entra/token.ts';

export async function openFetchKeys({ graph }: Pick<Config, 'graph'>): Promise<FetchKeys> {
  const { createFetch } = await import('../graph/fetch.ts');
  return createFetch(graph.authorityHost, graph.proxy, graph.attemptTimeoutMs);
}

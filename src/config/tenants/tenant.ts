// One tenant's configuration: the environment's, named `default`, or an entry of the tenants file.
import type { BacklogLimits } from '../../domain/operations/backlog.ts';
import type { Config } from '../config.ts';
import type { DirectoryConfig } from '../directory.ts';
import type { GraphConfig } from '../graph.ts';
import type { EntraConfig, IdentityConfig } from '../identity.ts';
import type { Secret } from '../secret.ts';

export type TenantConfig = {
  id: string;
  /** It accepts run results and creates nothing in Graph. */
  isPaused: boolean;
  groupKeys: readonly Secret[];
  /** Null: certificates of authorities are not accepted. */
  devices: IdentityConfig['devices'];
  /** Null: Entra tokens are not accepted. */
  entra: EntraConfig | null;
  graph: GraphConfig;
  /** Null: the Entra device directory vouches for nobody. */
  directory: DirectoryConfig | null;
  delivery: Config['delivery'];
  backlog: BacklogLimits;
  /** The process's own, for all tenants. */
  payloadKeys: readonly Secret[];
};

/** The tenant that environment variables configure, and that a bare device id in a signature means. */
export const DEFAULT_TENANT = 'default';

export const toEnvironmentTenant = ({
  http,
  identity,
  graph,
  directory,
  delivery,
  backlog,
  payloadKeys,
}: Config): TenantConfig => ({
  id: DEFAULT_TENANT,
  isPaused: false,
  groupKeys: http.groupKeys,
  devices: identity.devices,
  entra: identity.entra,
  graph,
  directory,
  delivery,
  backlog,
  payloadKeys,
});

// The Entra device directory from the environment: whether it vouches for devices, and the credential that asks it.
import type { DirectoryRequirement } from '../domain/directory/judge-device.ts';
import { HOUR_MS, type Environment } from './environment.ts';
import { toAppCredential, toGraph, type GraphConfig } from './graph.ts';

export type DirectoryConfig = {
  requirement: DirectoryRequirement;
  /** How old the directory's word may be. */
  maxAgeMs: number;
  /** Graph, with the credential that asks the directory; null in processes that have none and do not ask. */
  graph: GraphConfig;
};

const CREDENTIALS = [
  'DIRECTORY_CLIENT_SECRET',
  'DIRECTORY_CLIENT_SECRET_FILE',
  'DIRECTORY_CLIENT_CERTIFICATE_PATH',
  'DIRECTORY_FEDERATED_TOKEN_FILE',
];

/** The variables that are missing for a credential of the directory's own; without one, the worker's is used. */
export function missingDirectoryCredential(env: Record<string, unknown>): string[] {
  if (CREDENTIALS.some((name) => name in env)) {
    return ['AZURE_TENANT_ID', 'DIRECTORY_CLIENT_ID']
      .filter((name) => !(name in env))
      .map((name) => `${name} is required`);
  }
  return 'DIRECTORY_CLIENT_ID' in env ? [`one of ${CREDENTIALS.join(', ')} is required with DIRECTORY_CLIENT_ID`] : [];
}

/** Null: the directory vouches for nobody. */
export function toDirectory(env: Environment): DirectoryConfig | null {
  if (env.DEVICE_DIRECTORY === undefined) return null;
  const graph = toGraph(env);
  const own = toAppCredential({
    tenantId: env.AZURE_TENANT_ID,
    clientId: env.DIRECTORY_CLIENT_ID,
    secret: env.DIRECTORY_CLIENT_SECRET,
    secretPath: env.DIRECTORY_CLIENT_SECRET_FILE,
    certificatePath: env.DIRECTORY_CLIENT_CERTIFICATE_PATH,
    certificateVariable: 'DIRECTORY_CLIENT_CERTIFICATE_PATH',
    password: env.AZURE_CLIENT_CERTIFICATE_PASSWORD,
    tokenFilePath: env.DIRECTORY_FEDERATED_TOKEN_FILE,
  });
  return {
    requirement: env.DEVICE_DIRECTORY_REQUIRE,
    maxAgeMs: Math.ceil(env.DEVICE_DIRECTORY_MAX_AGE_H * HOUR_MS),
    graph: own ? { ...graph, credential: own } : graph,
  };
}

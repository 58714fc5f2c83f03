// What a process of a role is configured to do, or all that is wrong with it: variables, files, tenants and the port together.
import { getCACertificates } from 'node:tls';
import { ConfigError, parseConfig, type Config, type Role } from '../config/config.ts';
import { readTenants } from '../config/tenants/read.ts';
import { readGiven, type Variables } from '../config/variables.ts';
import { findListenFaults, findOutsideFaults } from './start-checks.ts';

/** Usable only without faults. */
export type Configuration = { config: Config; faults: null } | { config: null; faults: string[] };

export async function readConfiguration(env: Variables, role: Role): Promise<Configuration> {
  const { variables } = readGiven(env);
  const { config, faults } = tryParse(env, role);
  faults.push(...extraCertificateFaults(variables), ...(await findOutsideFaults(variables, role)));
  if (config?.tenantsFile != null) {
    const read = await readTenants(config.tenantsFile, config, role);
    faults.push(...read.faults.map((fault) => `TENANTS_FILE: ${fault}`));
  }
  if (config && faults.length === 0) return { config, faults: null };
  // All faults are reported together: a port that is taken is one more.
  if (config) {
    const { host, port } = role === 'api' ? config.http : config.worker;
    faults.push(...(await findListenFaults(host, port, role === 'api' ? 'PORT' : 'WORKER_PORT')));
  }
  return { config: null, faults };
}

function tryParse(env: Variables, role: Role): { config: Config | null; faults: string[] } {
  try {
    return { config: parseConfig(env, role), faults: [] };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { config: null, faults: [...error.faults] };
  }
}

/** Node only warns about extra certificates it could not read, and every connection would fail later: better not to start. */
function extraCertificateFaults(given: Variables): string[] {
  const variable = 'NODE_EXTRA_CA_CERTS';
  if (given[variable] === undefined || getCACertificates('extra').length > 0) return [];
  return [`${variable} names no file with certificates that could be read at the start`];
}

// Tenants to measure with: a Graph sandbox and an Entra tenant of its own for each, and the tenants file that names them.
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createSandbox, type Sandbox, type SandboxOptions } from '../../src/sandbox/sandbox.ts';

export type BenchTenant = { id: string; sandbox: Sandbox; groupKey: Buffer };

export async function openTenant(id: string, options: SandboxOptions): Promise<BenchTenant> {
  return { id, sandbox: await createSandbox(options), groupKey: randomBytes(32) };
}

/** Writes the file below a directory. @returns what a process of the service needs, with an embedded Redis below it as well */
export async function toEnvironment(
  tenants: readonly BenchTenant[],
  writesPer20s: number,
  directory: string,
): Promise<Record<string, string>> {
  const entries = await Promise.all(
    tenants.map(async ({ id, sandbox, groupKey }) => {
      const [secretFile, keyFile] = [join(directory, `${id}-secret`), join(directory, `${id}-devices`)];
      await writeFile(secretFile, sandbox.clientSecret, { mode: 0o600 });
      await writeFile(keyFile, groupKey.toString('base64'), { mode: 0o600 });
      const { tenantId, clientId, graphBaseUrl, authorityHost } = sandbox;
      return {
        id,
        azure: { tenantId, clientId, clientSecretFile: secretFile },
        graph: { baseUrl: graphBaseUrl, authorityHost, writesPer20s },
        devices: { groupKeyFiles: [keyFile] },
      };
    }),
  );
  const file = join(directory, 'tenants.json');
  await writeFile(file, JSON.stringify({ tenants: entries }));
  await mkdir(join(directory, 'redis'), { mode: 0o700 });
  return {
    ...{ PATH: process.env['PATH'] ?? '', NO_PROXY: '*', HOST: '127.0.0.1' },
    ...{ LOG_LEVEL: 'info', DEVICE_RATE_PER_MIN: '0' },
    DATA_DIR: join(directory, 'redis'),
    TENANTS_FILE: file,
    NODE_EXTRA_CA_CERTS: tenants[0]?.sandbox.caPath ?? '',
  };
}

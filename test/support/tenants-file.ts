// A tenants file in a directory of its own, with the key files it names; written as an operator would replace it.
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';

/** An Entra tenant that nobody asks. */
export const AZURE = {
  tenantId: '0b7f0e7a-3f5e-4c8e-9a53-3a1f5d2c7e01',
  clientId: 'b3a1d9e2-0c47-4f6a-8a55-71d2e6c90f18',
};

export type TenantsFile = {
  path: string;
  /** Writes another file beside it. @returns its path */
  file: (name: string, text: string) => string;
  /** Replaces the file whole. */
  write: (tenants: readonly object[]) => void;
  writeText: (text: string) => void;
  /** An entry whose devices have keys of this group key. */
  tenant: (id: string, groupKey: string, changes?: object) => object;
  close: () => void;
};

export function createTenantsFile(): TenantsFile {
  const directory = mkdtempSync(join(tmpdir(), 'runstate-tenants-'));
  const path = join(directory, 'tenants.yaml');
  const file = (name: string, text: string) => {
    writeFileSync(join(directory, name), text, { mode: 0o600 });
    return join(directory, name);
  };
  const writeText = (text: string) => renameSync(file('next', text), path);
  return {
    path,
    file,
    writeText,
    write: (tenants) => writeText(stringify({ tenants })),
    tenant: (id, groupKey, changes = {}) => ({
      id,
      azure: { ...AZURE, clientSecretFile: file(`${id}-secret`, `secret of ${id}`) },
      devices: { groupKeyFiles: [file(`${id}-devices`, `${groupKey}\n`)] },
      ...changes,
    }),
    close: () => rmSync(directory, { recursive: true, force: true }),
  };
}

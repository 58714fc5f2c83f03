// One certificate authority for every sandbox of a test run, trusted by the test processes and all they start.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTlsMaterial } from '../../src/sandbox/server/certificates.ts';

/**
 * Runs before vitest starts its workers. undici and @azure/identity both trust NODE_EXTRA_CA_CERTS, which Node reads
 * when a process begins: the workers are born with it.
 */
export async function setup(): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), 'runstate-test-ca-'));
  const { caPath } = await createTlsMaterial(directory, ['localhost']);
  process.env['NODE_EXTRA_CA_CERTS'] = caPath;
  return () => rm(directory, { recursive: true, force: true });
}

// One certificate authority for all sandboxes of a test run, trusted by the test processes and their children.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTlsMaterial } from '../../src/sandbox/server/certificates.ts';

/**
 * Runs before vitest starts its workers. undici and @azure/identity both trust NODE_EXTRA_CA_CERTS, which Node reads at
 * process start, so it must be in the workers' environment from the beginning.
 */
export async function setup(): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), 'runstate-test-ca-'));
  const { caPath } = await createTlsMaterial(directory, ['localhost']);
  process.env['NODE_EXTRA_CA_CERTS'] = caPath;
  return () => rm(directory, { recursive: true, force: true });
}

// The sandbox of one test file with a client of it: reset before each test, closed after the last.
import { afterAll, beforeEach } from 'vitest';
import { createSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts';
import { createClient, type Client } from './client.ts';

export async function openSandbox(): Promise<{ sandbox: Sandbox; client: Client }> {
  const sandbox = await createSandbox();
  const client = createClient(sandbox);
  beforeEach(() => sandbox.reset());
  afterAll(async () => {
    await client.close();
    await sandbox.close();
  });
  return { sandbox, client };
}

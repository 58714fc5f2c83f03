// Starting and stopping a sandbox: its certificate, its directory, and who gets in without trusting it.
import { access, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connect } from 'node:tls';

import { expect, test } from 'vitest';

import { createSandbox } from '../../src/sandbox/sandbox.ts';
import { createClient, failureOf } from './client.ts';

function handshake(url: string, servername: string, ca: string): Promise<string> {
  const { port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port: Number(port), servername, ca }, () => {
      resolve('trusted');
      socket.destroy();
    });
    socket.on('error', (error: Error & { code?: string }) => resolve(error.code ?? error.message));
  });
}

test('a certificate · is valid for localhost and every given name · and for no other', async () => {
  const sandbox = await createSandbox({ hostNames: ['sandbox'] });
  expect(sandbox.graphBaseUrl).toMatch(/^https:\/\/sandbox:\d+\/beta$/);
  for (const name of ['localhost', 'sandbox'])
    expect(await handshake(sandbox.authorityHost, name, sandbox.caPem)).toBe('trusted');
  expect(await handshake(sandbox.authorityHost, 'elsewhere', sandbox.caPem)).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
  const withoutCa = failureOf(fetch(sandbox.authorityHost.replace('sandbox', '127.0.0.1')));
  expect(await withoutCa).toMatch(/SELF_SIGNED|UNABLE_TO_VERIFY/);
  await sandbox.close();
});

test('a TLS directory · keeps the CA over restarts · with a key only its owner can read', async () => {
  const tlsDirectory = await mkdtemp(path.join(tmpdir(), 'sandbox-test-'));
  const first = await createSandbox({ tlsDirectory });
  await first.close();
  const second = await createSandbox({ tlsDirectory });
  expect(second.caPem).toBe(first.caPem);
  expect(second.caPath).toBe(path.join(tlsDirectory, 'ca.pem'));
  expect(await readFile(second.caPath, 'utf8')).toBe(second.caPem);
  expect((await stat(path.join(tlsDirectory, 'ca-key.pem'))).mode & 0o077).toBe(0);
  expect(await handshake(second.authorityHost, 'localhost', first.caPem)).toBe('trusted');
  await second.close();
  await rm(tlsDirectory, { recursive: true });
});

test('closing · ends a hanging request · and takes the temporary directory away', async () => {
  const sandbox = await createSandbox();
  const client = createClient(sandbox);
  await client.signIn();
  sandbox.script('next create: hang');
  const hung = new Promise((resolve) => sandbox.subscribe(resolve));
  const answer = failureOf(client.create());
  await hung;
  await sandbox.close();
  expect(await answer).not.toBe('none');
  await expect(access(sandbox.caPath)).rejects.toThrow('ENOENT');
  await client.close();
});

test('a control port that is taken · fails the start · and leaves nothing listening', async () => {
  const first = await createSandbox();
  const controlPort = Number(new URL(first.controlUrl).port);
  const free = await createSandbox();
  const port = Number(new URL(free.authorityHost).port);
  await free.close();
  await expect(createSandbox({ port, controlPort })).rejects.toThrow('EADDRINUSE');
  const again = await createSandbox({ port });
  expect(again.authorityHost).toBe(free.authorityHost);
  await Promise.all([first.close(), again.close()]);
});

test('a fixed port · is the one listened on · for both listeners', async () => {
  const first = await createSandbox();
  const port = Number(new URL(first.authorityHost).port);
  const controlPort = Number(new URL(first.controlUrl).port);
  await first.close();
  const second = await createSandbox({ port, controlPort });
  expect([second.authorityHost, second.controlUrl]).toEqual([first.authorityHost, first.controlUrl]);
  await second.close();
});

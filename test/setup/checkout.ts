// A checkout in miniature: the real set-up, tiny lock files, and a machine that has only the programs a test gives it.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';

type Packages = Record<string, { version: string; optional?: boolean; os?: string[]; cpu?: string[] }>;
type Ended = { code: number | null; stdout: string; stderr: string };

type Running = { child: ChildProcess; says: (text: string) => Promise<void>; ended: Promise<Ended> };

export type Checkout = {
  directory: string;
  /** Puts a shell script on the machine's PATH. */
  program: (name: string, script: string) => Promise<void>;
  file: (name: string, content: string) => Promise<void>;
  read: (name: string) => Promise<string>;
  /** Starts `node setup/run.mjs` with these arguments. */
  start: (args: string[], env?: Record<string, string>) => Running;
  run: (args: string[], env?: Record<string, string>) => Promise<Ended>;
};

export const redis = (version: string) => `echo 'Redis server v=${version} sha=00000000:0 malloc=libc bits=64 build=0'`;
export const lockFile = (packages: Packages) => JSON.stringify({ lockfileVersion: 3, packages });

/** Everything a checkout needs is there, until a test takes it away. */
export async function createCheckout(): Promise<Checkout> {
  const directory = await mkdtemp(path.join(tmpdir(), 'runstate-setup-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const at = (name: string) => path.join(directory, name);

  const checkout: Checkout = {
    directory,
    program: async (name, script) => {
      await checkout.file(`machine/${name}`, `#!/bin/sh\n${script}\n`);
      await chmod(at(`machine/${name}`), 0o755);
    },
    file: async (name, content) => {
      await mkdir(path.dirname(at(name)), { recursive: true });
      await writeFile(at(name), content);
    },
    read: (name) => readFile(at(name), 'utf8'),
    start: (args, env = {}) => {
      const child = spawn(process.execPath, ['setup/run.mjs', ...args], {
        cwd: directory,
        env: { PATH: at('machine'), ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      return { child, ...listen(child) };
    },
    run: (args, env) => checkout.start(args, env).ended,
  };

  await cp('setup', at('setup'), { recursive: true });
  await checkout.file('package-lock.json', lockFile({ 'node_modules/one': { version: '1.0.0' } }));
  await checkout.file('node_modules/.package-lock.json', lockFile({ 'node_modules/one': { version: '1.0.0' } }));
  await checkout.program('redis-server', redis('7.0.15'));
  return checkout;
}

function listen(child: ChildProcess): Omit<Running, 'child'> {
  const said = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream]?.on('data', (chunk: Buffer) => (said[stream] += chunk.toString()));
  }
  return {
    says: async (text) => {
      while (!said.stdout.includes(text) && !said.stderr.includes(text)) {
        await Promise.race([...[child.stdout, child.stderr].map((stream) => stream && once(stream, 'data'))]);
      }
    },
    ended: once(child, 'close').then(([code]) => ({ code: code as number | null, ...said })),
  };
}

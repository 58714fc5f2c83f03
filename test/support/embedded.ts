// The embedded Redis seen from outside: which redis-servers run in a directory, and processes that use it.
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { startProcess, type TestProcess } from './process.ts';

/** Process ids of the redis-servers working in a directory, without their rewriting children. */
export function serversIn(directory: string): number[] {
  const folder = realpathSync(directory);
  const found = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const [, name, state, parent] = /\((.*)\) (\S) (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
        const isServer = name === 'redis-server' && state !== 'Z' && readlinkSync(`/proc/${pid}/cwd`) === folder;
        return isServer ? [{ pid: Number(pid), parent: Number(parent) }] : [];
      } catch {
        return [];
      }
    });
  return found.filter(({ parent }) => !found.some(({ pid }) => pid === parent)).map(({ pid }) => pid);
}

/** Starts a process that uses the directory's server. */
export const startUser = (directory: string, env: Record<string, string> = {}, ...args: string[]): TestProcess =>
  startProcess('test/support/embedded-fixture.ts', env, directory, ...args);

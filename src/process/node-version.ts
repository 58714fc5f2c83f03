// Runs on the current Node if it is new enough, otherwise on the one that setup installed.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { constants } from 'node:os';

/** Required by the identity library and the HTTP client, which must not be loaded before this check. */
const OLDEST = [22, 18] as const;
/** sysexits.h EX_UNAVAILABLE */
const EXIT_UNAVAILABLE = 69;

/** Loads a program, or re-runs the whole command on the other Node as if it were this process. */
export async function onWantedNode(load: () => Promise<unknown>): Promise<void> {
  if (isWanted(process.versions.node)) {
    dieWithParent();
    await load();
    return;
  }
  const node = findNode();
  if (node === null) {
    process.stderr.write(`this needs Node ${OLDEST.join('.')} or newer: install Node 24, or run npm install here\n`);
    process.exitCode = EXIT_UNAVAILABLE;
    return;
  }
  // In its own process group: otherwise Ctrl-C would reach it twice, and a second signal forces.
  const child = spawn(node, process.argv.slice(1), {
    detached: true,
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2'] as const)
    process.on(signal, () => void child.kill(signal));
  child.on('exit', (code, signal) => {
    process.exit(signal === null ? (code ?? 1) : 128 + constants.signals[signal]);
  });
}

function isWanted(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
}

function findNode(): string | null {
  try {
    return createRequire(import.meta.url).resolve(`node-${process.platform}-${process.arch}/bin/node`);
  } catch {
    return null;
  }
}

/** When re-spawned by an older Node: exits if that parent dies, which closes the IPC channel. */
function dieWithParent(): void {
  if (!process.channel) return;
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
  process.channel.unref();
}

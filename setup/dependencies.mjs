// Installs the npm dependencies from the lock file if they are missing.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';

import { exclusively } from './lock.mjs';
import { ownNode } from './node.mjs';
import { inCheckout, pathOfMachine, pathWith } from './places.mjs';
import { Impossible, say } from './say.mjs';

/**
 * What a lock file says of a package.
 * @typedef {{ version: string, integrity?: string, optional?: boolean, os?: string[], cpu?: string[], libc?: string[] }} Package
 */

export async function ensureDependencies() {
  if (areInstalled()) return;
  await exclusively(async () => {
    if (!areInstalled()) await install();
  });
}

/** npm writes node_modules/.package-lock.json last, so a broken-off installation does not look like a whole one. */
function areInstalled() {
  const wanted = packagesIn(inCheckout('package-lock.json'));
  const installed = packagesIn(inCheckout('node_modules', '.package-lock.json'));
  delete wanted['']; // the project itself
  const asWanted = Object.entries(wanted).every(([place, one]) => {
    const found = installed[place];
    return found ? found.version === one.version && found.integrity === one.integrity : mayBeMissing(one);
  });
  return asWanted && Object.keys(installed).every((place) => place in wanted);
}

/**
 * @param {string} lockFile
 * @returns {Record<string, Package>}
 */
function packagesIn(lockFile) {
  try {
    return JSON.parse(readFileSync(lockFile, 'utf8')).packages;
  } catch {
    return {};
  }
}

/**
 * An optional package may be missing, unless it was made for just this kind of machine.
 * @param {Package} one
 */
const mayBeMissing = ({ optional, os, cpu, libc }) =>
  optional &&
  !(
    os?.includes(process.platform) &&
    cpu?.includes(process.arch) &&
    (libc ?? [libcOfMachine()]).includes(libcOfMachine())
  );

function libcOfMachine() {
  try {
    return readFileSync('/usr/bin/ldd', 'utf8').includes('musl') ? 'musl' : 'glibc';
  } catch {
    return 'glibc';
  }
}

async function install() {
  say('installing the npm dependencies; the first time this takes a minute or so');
  await npm('ci', pathOfMachine);
  // npm leaves out the optional packages that the Node it runs on is too old for; that Node has brought ours by now.
  if (!areInstalled()) await npm('install', pathWith(path.dirname(ownNode)));
}

/**
 * Development and optional packages are wanted whatever this machine's npm settings say.
 * @param {'ci' | 'install'} command
 * @param {string} PATH
 */
async function npm(command, PATH) {
  const include = ['--include=dev', '--include=optional'];
  const child = spawn('npm', [command, ...include, '--no-save', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: inCheckout(),
    stdio: ['ignore', process.stderr.fd, process.stderr.fd],
    env: { ...process.env, PATH, NODE_NO_WARNINGS: '1' },
  });
  const [code] = await once(child, 'exit').catch(() => [undefined]);
  if (code !== 0) throw new Impossible('the npm dependencies could not be installed; what npm said is above');
}

// Debian's and Ubuntu's redis-server, unpacked into .tools: no root, nothing installed, no service started.
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { capture } from './capture.mjs';
import { inCheckout } from './places.mjs';
import { say } from './say.mjs';

const scratch = inCheckout('.tools', 'apt');
const home = inCheckout('.tools', 'redis');
const bin = inCheckout('.tools', 'bin');

/**
 * Keeps apt out of the machine's caches, locks and hooks. It runs as whoever we are: the user it would change to may not
 * be allowed into this directory.
 */
const aptSettings = `
  Dir::Cache "${scratch}/cache";
  Debug::NoLocking "true";
  APT::Sandbox::User "root";
  APT::Install-Recommends "false";
  Acquire::Languages "none";
  #clear APT::Update::Pre-Invoke;
  #clear APT::Update::Post-Invoke;
  #clear APT::Update::Post-Invoke-Success;
  #clear DPkg::Post-Invoke;
`;
const ownLists = ['-o', `Dir::State::Lists=${scratch}/lists`];

/** @returns {Promise<string | undefined>} what stood in the way */
export async function fetchRedis() {
  if (!(await capture('apt-get', ['--version'])).succeeded) return 'it is fetched only on Debian and Ubuntu';
  say('fetching a private Redis server into .tools');
  for (const directory of [scratch, home]) rmSync(directory, { recursive: true, force: true });
  for (const directory of ['cache/archives/partial', 'lists/partial']) {
    mkdirSync(path.join(scratch, directory), { recursive: true });
  }
  writeFileSync(`${scratch}/apt.conf`, aptSettings);
  const obstacle = (await download()) ?? (await unpack());
  if (obstacle === undefined) writeWrappers();
  rmSync(scratch, { recursive: true });
  return obstacle;
}

/** With the machine's package lists first: they are there already, though they may be empty or out of date. */
async function download() {
  if ((await downloadWith([])) === undefined) return undefined;
  const update = await apt([...ownLists, 'update']);
  const obstacle = await downloadWith(ownLists);
  return obstacle === undefined ? undefined : (update ?? obstacle);
}

/**
 * What apt would install beside what the machine has: the two packages and only the libraries that are missing.
 * @param {string[]} lists
 */
async function downloadWith(lists) {
  const packages = ['redis-server', 'redis-tools'];
  const obstacle = await apt([...lists, '--yes', '--download-only', '--reinstall', 'install', ...packages]);
  if (obstacle !== undefined) return obstacle;
  // A package that is installed but in no list counts as a success, with nothing downloaded.
  const complete = packages.every((name) => archives().some((archive) => archive.startsWith(`${name}_`)));
  return complete ? undefined : 'apt-get has no redis-server to download';
}

const archives = () => readdirSync(`${scratch}/cache/archives`).filter((name) => name.endsWith('.deb'));

/**
 * @param {string[]} args
 * @returns {Promise<string | undefined>} apt's first complaint
 */
async function apt(args) {
  const { succeeded, stderr } = await capture('apt-get', ['-c', `${scratch}/apt.conf`, '-qq', ...args]);
  return succeeded ? undefined : firstLine(stderr);
}

async function unpack() {
  for (const name of archives()) {
    const { succeeded, stderr } = await capture('dpkg', ['-x', `${scratch}/cache/archives/${name}`, home]);
    if (!succeeded) return firstLine(stderr);
  }
  return undefined;
}

/** @param {string} text */
const firstLine = (text) => text.split('\n').find((line) => line.startsWith('E: ')) ?? text.split('\n')[0];

/** They find their libraries from where they are themselves, so a checkout can be moved. */
function writeWrappers() {
  mkdirSync(bin, { recursive: true });
  const libraries = libraryDirectories().map((directory) => `$home/${directory}`);
  for (const program of ['redis-server', 'redis-cli']) {
    const wrapper = `${bin}/${program}`;
    writeFileSync(
      wrapper,
      `#!/bin/sh
# Written by setup/fetch-redis.mjs: a private ${program}, with the libraries this machine does not have.
home="\${0%/*}/../redis"
export LD_LIBRARY_PATH="${libraries.join(':')}\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
exec "$home/usr/bin/${program}" "$@"
`,
    );
    chmodSync(wrapper, 0o755);
  }
}

/** Relative to `home`; below each of the two, Debian has a directory for the machine's architecture. */
const libraryDirectories = () => ['usr/lib', 'lib'].flatMap((parent) => [parent, ...architecturesIn(parent)]);

/** @param {string} parent */
function architecturesIn(parent) {
  if (!existsSync(path.join(home, parent))) return [];
  const directories = readdirSync(path.join(home, parent)).filter((name) => name.includes('-linux-'));
  return directories.map((name) => `${parent}/${name}`);
}

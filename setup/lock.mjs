// One set-up at a time: a lock directory, holding a file named after the process that has it.
import { mkdirSync, readdirSync, renameSync, rmSync, rmdirSync, writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';

import { inCheckout } from './places.mjs';
import { say } from './say.mjs';

const lock = inCheckout('.tools', 'lock');
const me = String(process.pid);
const retryMs = 200;

/**
 * Does the work while no other process of this machine does.
 * @param {() => Promise<void>} work
 */
export async function exclusively(work) {
  if (!take()) {
    say('another set-up is at work here; waiting for it');
    while (!take()) await setTimeout(retryMs);
  }
  try {
    await work();
  } finally {
    rmSync(`${lock}/${me}`);
    removeIfEmpty(lock);
  }
}

/** Renaming is atomic and succeeds onto nothing or onto an empty directory, so the lock appears with its owner's name. */
function take() {
  const mine = `${lock}.${me}`;
  mkdirSync(mine, { recursive: true });
  writeFileSync(`${mine}/${me}`, '');
  try {
    renameSync(mine, lock);
    return true;
  } catch (error) {
    rmSync(mine, { recursive: true });
    if (!['ENOTEMPTY', 'EEXIST'].includes(codeOf(error))) throw error;
    for (const owner of owners()) if (!isAlive(Number(owner))) rmSync(`${lock}/${owner}`, { force: true });
    return false;
  }
}

function owners() {
  try {
    return readdirSync(lock);
  } catch {
    return [];
  }
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/** @param {string} directory */
function removeIfEmpty(directory) {
  try {
    rmdirSync(directory);
  } catch {
    // the next process has it already
  }
}

/** @param {unknown} error */
const codeOf = (error) => /** @type {NodeJS.ErrnoException} */ (error).code ?? '';

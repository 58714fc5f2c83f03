// Allows one set-up at a time: a lock directory holding a file named after its owner.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, rmdirSync, writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';

import { inCheckout } from './places.mjs';
import { say } from './say.mjs';

const lock = inCheckout('.tools', 'lock');
const me = nameOf(process.pid);
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
    for (const owner of owners()) if (!isAlive(owner)) rmSync(`${lock}/${owner}`, { force: true });
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

/**
 * A process by its id and, where the system tells, when it started: an id is given again, after a restart of the machine or
 * soon in a new container.
 * @param {number} pid
 */
function nameOf(pid) {
  try {
    const told = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // Behind the name in parentheses; proc(5) counts from 1, with the id and the name before these.
    const startTime = told.slice(told.lastIndexOf(') ') + 2).split(' ')[22 - 3];
    return `${pid}-${startTime}`;
  } catch {
    return String(pid);
  }
}

/** @param {string} owner */
function isAlive(owner) {
  const pid = Number(owner.split('-')[0]);
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (codeOf(error) !== 'EPERM') return false;
  }
  return owner === String(pid) || owner === nameOf(pid);
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

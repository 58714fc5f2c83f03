// Runs a program in place of this process: same terminal, signals and exit code.
import { spawn } from 'node:child_process';
import os from 'node:os';

import { Impossible } from './say.mjs';

/**
 * @param {string} command
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<number>} the exit code; 128 + n for signal n, as a shell says it
 */
export function become(command, args, env) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'inherit', env });
    for (const signal of /** @type {const} */ (['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT'])) {
      process.on(signal, () => {
        if (!typedByHand(signal)) child.kill(signal);
      });
    }
    child.on('error', () => reject(new Impossible(`${command} could not be started`, 127)));
    child.on('exit', (code, signal) => resolve(signal === null ? (code ?? 1) : 128 + os.constants.signals[signal]));
  });
}

/**
 * A terminal gives Ctrl-C to every process in front of it, so the child has it already.
 * @param {NodeJS.Signals} signal
 */
const typedByHand = (signal) => (signal === 'SIGINT' || signal === 'SIGQUIT') && process.stdin.isTTY;

// Runs a program and captures its output.
import { spawn } from 'node:child_process';

/**
 * Never rejects: a program that is not there has failed like any other.
 * @param {string} command
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<{ succeeded: boolean, stdout: string, stderr: string }>}
 */
export function capture(command, args, env = process.env) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => (stdout += chunk));
    child.stderr.on('data', (chunk) => (stderr += chunk));
    child.on('error', (error) => resolve({ succeeded: false, stdout, stderr: error.message }));
    child.on('close', (code) => resolve({ succeeded: code === 0, stdout, stderr }));
  });
}

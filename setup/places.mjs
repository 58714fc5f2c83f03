// Paths in a checkout, and the PATH with and without them.
import path from 'node:path';
import { URL, fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** @param {...string} parts */
export const inCheckout = (...parts) => path.join(root, ...parts);

const { PATH = '' } = process.env;

/** The PATH of the machine, without what npm adds to it: npm must not run on a Node that it is about to replace. */
export const pathOfMachine = PATH.split(path.delimiter)
  .filter((entry) => !entry.endsWith(path.join('node_modules', '.bin')))
  .join(path.delimiter);

/**
 * What was fetched for this project first, then what the machine has.
 * @param {...string} directories
 */
export const pathWith = (...directories) =>
  [inCheckout('.tools', 'bin'), ...directories, pathOfMachine].join(path.delimiter);

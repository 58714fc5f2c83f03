// Chooses the Node to run on: the one from the dependencies, or the machine's if it is new enough.
import { rmSync } from 'node:fs';

import { capture } from './capture.mjs';
import { inCheckout } from './places.mjs';
import { Impossible } from './say.mjs';
import { isAtLeast } from './version.mjs';

/** From here on Node runs TypeScript files as they are. */
const minimum = '22.18';

/** By its own path: npm 9 loses the link in node_modules/.bin, which the packages for other machines have too. */
export const ownNode = inCheckout('node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node');

/** @returns {Promise<string>} the program's path */
export async function chooseNode() {
  if ((await capture(ownNode, ['--version'])).succeeded) return ownNode;
  // Where there is a link nevertheless, it is to a Node for another C library, and npm puts it first on everyone's PATH.
  rmSync(inCheckout('node_modules', '.bin', 'node'), { force: true });
  if (isAtLeast(process.versions.node, minimum)) return process.execPath;
  throw new Impossible(`Node 24 is needed, this is ${process.versions.node}; install it from https://nodejs.org`);
}

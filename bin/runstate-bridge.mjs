#!/usr/bin/env node
// The `runstate-bridge` command: in a checkout by way of the set-up, in the production image straight from dist/.
import { existsSync } from 'node:fs';
import { URL, fileURLToPath } from 'node:url';

const source = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));

if (existsSync(source)) {
  process.argv.splice(2, 0, source);
  await import('../setup/run.mjs');
} else {
  await import('../dist/src/cli/main.js');
}

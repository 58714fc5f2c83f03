// Measures how long verifying a signed request takes: by a derived key, and by certificates with each kind of key.
import { createSecretKey, generateKeyPairSync } from 'node:crypto';
import { createCertifiedDevices } from '../src/http/identity/certificate/certified-devices.ts';
import { parseAuthorities } from '../src/http/identity/certificate/authorities.ts';
import { createFindSigner } from '../src/http/identity/signature/find-signer.ts';
import { createVerifySignature } from '../src/http/identity/signature/signature.ts';
import { createTargetsOf } from '../src/http/identity/signature/signed-target.ts';
import { createAuthority } from '../test/support/certificates.ts';
import { signWithCertificate } from '../test/support/certificate-signing.ts';
import { DEVICE_ID, GROUP_KEY, runResult, sign } from '../test/support/device.ts';

const ROUNDS = 9;
const REQUESTS_PER_ROUND = 1500;
/** Enough for a median; verifying without the cache takes far longer. */
const UNCACHED_PER_ROUND = 150;

const KEYS = {
  'rsa-v1_5-sha256': () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  'rsa-pss-sha512': () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  'ecdsa-p256-sha256': () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  'ecdsa-p384-sha384': () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  ed25519: () => generateKeyPairSync('ed25519'),
};

type Case = { name: string; headers: Record<string, string>; isCached: boolean; timesUs: number[] };

const authority = await createAuthority();
const body = JSON.stringify(runResult());
const cases: Case[] = [
  { name: 'hmac-sha256', headers: sign({ body }), isCached: true, timesUs: [] },
  ...(
    await Promise.all(
      Object.entries(KEYS).map(async ([alg, toKeys]) => {
        const certificate = await authority.issue({ subject: `CN=${DEVICE_ID}`, keys: toKeys() });
        const headers = signWithCertificate({ certificate, alg, body });
        return [true, false].map((isCached) => ({ name: alg, headers, isCached, timesUs: [] }));
      }),
    )
  ).flat(),
];

/** A verifier that has seen no certificate yet. */
function createVerifier() {
  const current = parseAuthorities([authority.pem]);
  const files = { current: () => current, onChange: () => undefined, close: () => undefined };
  const devices = createCertifiedDevices({ files, rule: { from: 'cn', before: '', after: '' } }, null);
  const groupKeys = [createSecretKey(Buffer.from(GROUP_KEY, 'base64'))];
  const findSigner = createFindSigner(devices, Date.now);
  return createVerifySignature({
    findTenant: () => ({ groupKeys, findSigner }),
    targetsOf: createTargetsOf(() => false),
    clock: Date.now,
  });
}

function measure({ headers, isCached }: Case): number {
  const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  const headersDistinct = Object.fromEntries(Object.entries(lower).map(([name, value]) => [name, [value]]));
  const request = { method: 'POST', headers: lower, headersDistinct, socket: { remoteAddress: '127.0.0.1' } };
  const requests = isCached ? REQUESTS_PER_ROUND : UNCACHED_PER_ROUND;
  const verifiers = Array.from({ length: isCached ? 1 : requests }, createVerifier);
  if (isCached) verifiers[0]?.({ request, url: '/v1/run-results', hasBody: true });
  const startedAt = performance.now();
  for (let number = 0; number < requests; number += 1) {
    const verify = verifiers[isCached ? 0 : number];
    const proof = verify?.({ request, url: '/v1/run-results', hasBody: true });
    if (proof?.ok !== true) throw new Error(`not verified: ${JSON.stringify(proof)}`);
  }
  return ((performance.now() - startedAt) * 1000) / requests;
}

const print = (line: string) => void process.stdout.write(`${line}\n`);
const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

for (let round = 0; round <= ROUNDS; round += 1) {
  // The first round warms up. Cases take turns, so that all of them meet the same noise.
  for (const one of cases) {
    const timeUs = measure(one);
    if (round > 0) one.timesUs.push(timeUs);
  }
}
const hmacUs = median(cases[0]?.timesUs ?? []);
print('algorithm            certificate   µs a request   × hmac-sha256');
for (const { name, isCached, timesUs } of cases) {
  const us = median(timesUs);
  const certificate = name === 'hmac-sha256' ? '–' : isCached ? 'remembered' : 'new';
  print(
    `${name.padEnd(20)} ${certificate.padEnd(12)} ${us.toFixed(1).padStart(13)} ${(us / hmacUs).toFixed(1).padStart(15)}`,
  );
}

// The shared vectors against the sh agent: its signatures, what it makes of printed bytes, and its exit codes.
import { createPublicKey } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { findAlgorithm, isSignedBy } from '../../src/http/identity/signature/certificate-algorithms.ts';
import { createAgentDevice, ONE_SHELL, RUN, startStranger, type AgentDevice } from '../support/agent.ts';
import { ENCODINGS, EXIT_CODES, SIGNATURES, type VectorKey } from '../support/vectors.ts';

const NOWHERE = 'http://127.0.0.1:9';

let stranger: Awaited<ReturnType<typeof startStranger>>;
let device: AgentDevice;

beforeAll(async () => {
  stranger = await startStranger((_request, response) => response.end());
});
afterAll(() => stranger.close());

/** The agent posts, has no query, and keeps nothing that is empty; of vectors that are alike to it, one. */
const ALIKE = /query|empty|one byte|2038|a port|two segments|GET|P-256 key, and/;
const REQUESTS = SIGNATURES.requests.filter(({ name }) => !ALIKE.test(name));

/** Each form that an exit code is written in: a process for every one of them would take long. */
const FORMS = EXIT_CODES.accepted.filter(({ name }) => /zeros|HRESULT|restart is|wins/.test(name));

function writeKey(key: VectorKey | undefined): string[] {
  const file = (name: string, text: string) => {
    writeFileSync(join(device.directory, name), text);
    return join(device.directory, name);
  };
  if (key === undefined) throw new Error('there is no such key');
  if ('deviceKey' in key) return ['--key-file', file('key', key.deviceKey)];
  return ['--certificate', file('device.pem', key.certificate), '--private-key', file('private.pem', key.privateKey)];
}

describe('the agent', { timeout: 120_000 }, () => {
  beforeEach(() => (device = createAgentDevice(ONE_SHELL)));
  afterEach(() => device.close());

  test.each(REQUESTS)('a signature · $name · is the one that stands there', async (vector) => {
    const { created, deviceId, tenant, url, body = '', key, base, contentDigest, signatureInput, signature } = vector;
    let headers: IncomingHttpHeaders = {};
    stranger.answer = (request, response) => {
      headers = request.headers;
      response.end();
    };
    mkdirSync(device.spool);
    const lines = body.match(/.+\n?/g) ?? [];
    for (const [index, line] of lines.entries()) {
      writeFileSync(join(device.spool, `${created + index}-run-${index + 1}.json`), line);
    }
    device.replace('date', `case "$*" in *+%s) echo ${created} ;; *) exec /bin/date "$@" ;; esac`);
    const basePath = new URL(url).pathname.replace(/\/v1\/run-results(\/batch)?$/, '');
    const options = ['--url', `${stranger.url}${basePath}`, '--spool', device.spool, '--device-id', deviceId];
    const signer = SIGNATURES.keys[key];
    await device.run(['send', ...options, ...writeKey(signer), ...(tenant === undefined ? [] : ['--tenant', tenant])]);
    expect(headers).toMatchObject({ 'content-digest': contentDigest, 'signature-input': signatureInput });
    if (signer?.algorithm !== 'ecdsa-p256-sha256') {
      expect(headers['signature']).toBe(signature);
      return;
    }
    const algorithm = findAlgorithm(signer.algorithm);
    const bytes = Buffer.from(String(headers['signature']).slice('device=:'.length, -1), 'base64');
    const publicKey = createPublicKey(signer.certificate);
    expect(algorithm && isSignedBy({ key: publicKey, algorithm }, base, bytes)).toBe(true);
  });

  /** What is kept of a run with these options. */
  async function keep(options: string[]): Promise<Record<string, unknown>> {
    await rm(device.spool, { recursive: true, force: true });
    const { stderr } = await device.run(['add', ...device.options(NOWHERE), ...RUN, '--no-wait', ...options]);
    const [name] = device.kept();
    if (name === undefined) throw new Error(stderr);
    return JSON.parse(await readFile(join(device.spool, name), 'utf8')) as Record<string, unknown>;
  }

  test('printed bytes and long output · become clean text · head and tail of it', async () => {
    const texts = ENCODINGS.texts
      .filter(({ codePage }) => codePage === undefined)
      .map(({ name, bytes, text }) => ({ name, bytes: Buffer.from(bytes, 'base64'), text }));
    const caps = ENCODINGS.caps.map(({ name, parts, text }) => ({
      name,
      bytes: Buffer.concat(parts.flatMap((part) => Array<Buffer>(part.times).fill(Buffer.from(part.bytes, 'base64')))),
      text: text.map((part) => part.text.repeat(part.times)).join(''),
    }));
    const all = [...texts, ...caps];
    const reported: unknown[] = [];
    for (let index = 0; index < all.length; index += 2) {
      const pair = all.slice(index, index + 2);
      const options = pair.flatMap(({ bytes }, at) => {
        const file = join(device.directory, `printed-${at}`);
        writeFileSync(file, bytes);
        return [at === 0 ? '--output' : '--error', file];
      });
      const { output, error } = await keep(['--state', 'fail', ...options]);
      reported.push(...[output ?? '', error ?? ''].slice(0, pair.length));
    }
    expect(all.map(({ name }, index) => [name, reported[index]])).toEqual(all.map(({ name, text }) => [name, text]));
  });

  test('exit codes and states · are sent · as the vectors say', async () => {
    const sent: unknown[] = [];
    for (const { name, exitCode, state } of FORMS) {
      const kept = await keep([
        ...(exitCode === undefined ? [] : ['--exit-code', exitCode]),
        ...(state === undefined ? [] : ['--state', state]),
      ]);
      const members = ['state', 'exitCode'].filter((member) => member in kept);
      sent.push([name, Object.fromEntries(members.map((member) => [member, kept[member]]))]);
    }
    expect(sent).toEqual(FORMS.map((vector) => [vector.name, vector.sent]));
  });
});

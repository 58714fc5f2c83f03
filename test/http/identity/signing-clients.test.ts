// Devices that sign with what is publicly there: two libraries for RFC 9421, and curl or wget with openssl, over real connections.
import { execFile } from 'node:child_process';
import { createHmac, generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { httpbis } from 'http-message-signatures';
import { appendSignature, component, createSignature } from 'http-message-sig';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { deriveDeviceKey } from '../../../src/domain/submission/device-key.ts';
import { startListeningApp, type ListeningApp } from '../../support/app.ts';
import { DEVICE_ID, digestOf, GROUP_KEY, runResult } from '../../support/device.ts';
import { send } from '../../support/raw-http.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';

const run = promisify(execFile);
const deviceKey = deriveDeviceKey(Buffer.from(GROUP_KEY, 'base64'), DEVICE_ID);
const mac = (base: Uint8Array) => createHmac('sha256', deviceKey).update(base).digest();
const BODY = JSON.stringify(runResult());
const BATCH = JSON.stringify([runResult({ runId: 'run-2' })]);
/** What connects from here is our proxy. */
const PROXY = '127.0.0.2';

let redis: TestRedis;
let world: ListeningApp;
let origin: string;

beforeAll(async () => {
  redis = await startTestRedis();
  world = await startListeningApp(redis, { env: { TRUSTED_PROXIES: PROXY } });
  origin = `http://127.0.0.1:${world.port}`;
});
beforeEach(() => redis.client.flushall());
afterAll(async () => {
  await world.close();
  await redis.close();
});

type Asked = { method: string; path: string; body?: string };
type Headers = Record<string, string>;
/** A client: given a request and what to cover, the headers it sends. */
type Sign = (url: string, asked: Asked, components: string[], headers: Headers) => Promise<Headers>;

/** Its own label, parameters in its own order, `expires` besides. */
const signWithSignatures: Sign = async (url, { method }, fields, headers) => {
  const key = { id: DEVICE_ID, alg: 'hmac-sha256' as const, sign: (base: Buffer) => Promise.resolve(mac(base)) };
  return (await httpbis.signMessage({ key, fields }, { method, url, headers })).headers;
};

const signWithSig: Sign = async (url, { method, body }, components, headers) => {
  const request = new Request(url, { method, headers, ...(body !== undefined && { body }) });
  const described = components.map((one) => {
    const [, name = '', key] = /^"?([^";]+)"?(?:;key="(.*)")?$/.exec(one) ?? [];
    return component(name, key === undefined ? {} : { key });
  });
  const { signature, signatureInput } = await createSignature(request, {
    components: described,
    parameters: {
      created: Math.floor(Date.now() / 1000),
      keyid: DEVICE_ID,
      alg: 'hmac-sha256',
      nonce: 'n-1',
      tag: 'runs',
    },
    signer: { algorithm: 'hmac-sha256', sign: mac },
  });
  return { ...headers, Signature: signature, 'Signature-Input': signatureInput };
};

const CLIENTS: [name: string, sign: Sign][] = [
  ['http-message-signatures', signWithSignatures],
  ['http-message-sig', signWithSig],
];

const REQUIRED = ['@method', '@path'];
const COVERED: [what: string, components: string[]][] = [
  ['what is required', []],
  ['@authority', ['@authority']],
  ['@target-uri', ['@target-uri']],
  ['@scheme and @query', ['@scheme', '@query']],
  ['header fields', ['x-agent', 'x-list']],
  ['a member of a field', ['"x-list";key="b"']],
  ['all of it', ['@authority', '@target-uri', '@scheme', '@query', 'x-agent', 'x-list']],
];

const headersOf = (body?: string): Headers => ({
  'X-Agent': 'agent/2.0 (Windows)',
  'X-List': 'a=1,  b=2;x',
  ...(body !== undefined && { 'Content-Type': 'application/json', 'Content-Digest': digestOf(body) }),
});

async function ask(sign: Sign, asked: Asked, further: string[], before: boolean): Promise<Response> {
  const url = `${origin}${asked.path}`;
  const body = asked.body === undefined ? [] : ['content-digest', 'content-type'];
  const components = before ? [...further, ...body, ...REQUIRED.toReversed()] : [...REQUIRED, ...body, ...further];
  const { method } = asked;
  return fetch(url, {
    method,
    headers: await sign(url, asked, components, headersOf(asked.body)),
    ...(asked.body !== undefined && { body: asked.body }),
  });
}

describe.each(CLIENTS)('%s', (_name, sign) => {
  test.each(COVERED)('covering %s · in either order · is known on every route', async (_what, further) => {
    for (const before of [false, true]) {
      const answer = await ask(sign, { method: 'POST', path: '/v1/run-results', body: BODY }, further, before);
      expect(answer.status).toBe(before ? 200 : 202);
      const location = answer.headers.get('location') ?? '';
      const batch = await ask(
        sign,
        { method: 'POST', path: '/v1/run-results/batch?part=1', body: BATCH },
        further,
        before,
      );
      expect([batch.status, await batch.json()]).toMatchObject([200, [{ runId: 'run-2', duplicate: before }]]);
      const delivery = await ask(sign, { method: 'GET', path: `${location}?now` }, further, before);
      expect([delivery.status, await delivery.json()]).toMatchObject([200, { runId: 'run-1' }]);
    }
  });

  test('asked at another address than it signed · is refused · whichever part covers it', async () => {
    for (const component of ['@authority', '@target-uri', '@scheme']) {
      const asked = { method: 'POST', path: '/v1/run-results', body: BODY };
      const url = `https://elsewhere.example${asked.path}`;
      const headers = await sign(url, asked, [...REQUIRED, 'content-digest', component], headersOf(BODY));
      expect((await fetch(`${origin}${asked.path}`, { method: 'POST', headers, body: BODY })).status, component).toBe(
        401,
      );
    }
  });

  test('behind a proxy that ends TLS and has another name · is known by what the proxy says · where it is ours', async () => {
    const path = '/v1/run-results';
    const url = `https://bridge.example${path}`;
    const asked = { method: 'POST', path, body: BODY };
    const signed = await sign(
      url,
      asked,
      [...REQUIRED, 'content-digest', '@authority', '@scheme', '@target-uri'],
      headersOf(BODY),
    );
    const headers = { ...signed, 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'bridge.example' };
    const from = (localAddress: string) =>
      send({ port: world.port, method: 'POST', path, headers, body: BODY, localAddress });
    expect((await from('127.0.0.1')).status).toBe(401);
    expect((await from(PROXY)).status).toBe(202);
  });
});

test('a second signature that a proxy added · before or after the device’s · changes nothing', async () => {
  const { privateKey } = generateKeyPairSync('ed25519');
  const { sign: signBytes } = await import('node:crypto');
  const url = `${origin}/v1/run-results`;
  const request = new Request(url, { method: 'POST', headers: headersOf(BODY) });
  const proxys = await createSignature(request, {
    label: 'proxy_sig',
    components: ['@authority', 'content-digest'],
    parameters: { created: 1_700_000_000, keyid: 'https://proxy.example/keys/1', alg: 'ed25519' },
    signer: { algorithm: 'ed25519', sign: (base) => signBytes(null, base, privateKey) },
  });
  const own = await signWithSig(
    url,
    { method: 'POST', path: '', body: BODY },
    [...REQUIRED, 'content-digest'],
    headersOf(BODY),
  );
  const after = appendSignature(new Headers(own), proxys);
  const before = {
    ...own,
    Signature: `${proxys.signature}, ${own['Signature']}`,
    'Signature-Input': `${proxys.signatureInput}, ${own['Signature-Input']}`,
  };
  expect((await fetch(url, { method: 'POST', headers: after, body: BODY })).status).toBe(202);
  expect((await fetch(url, { method: 'POST', headers: before, body: BODY })).status).toBe(200);
});

/** RFC 9421 in a shell, with a label and an order of its own; the body is in a file, as it will be sent. */
const SHELL_SIGN = `
set -eu
key=$(printf %s "$DEVICE_KEY" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \\n')
created=$(date +%s)
sign() { # METHOD PATH [DIGEST]
  input="(\\"@authority\\" \\"@path\\" \\"@method\\" \\"@scheme\\""
  base=$(printf '"@authority": %s\\n"@path": %s\\n"@method": %s\\n"@scheme": http' "$AUTHORITY" "$2" "$1")
  if [ -n "\${3-}" ]; then
    input="$input \\"content-digest\\""
    base=$(printf '%s\\n"content-digest": %s' "$base" "$3")
  fi
  input="$input);keyid=\\"$DEVICE_ID\\";alg=\\"hmac-sha256\\";created=$created"
  mac=$(printf '%s\\n"@signature-params": %s' "$base" "$input" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | openssl base64 -A)
}
digest() { # FILE
  printf 'sha-512=:%s:, sha-256=:%s:' "$(openssl dgst -sha512 -binary "$1" | openssl base64 -A)" "$(openssl dgst -sha256 -binary "$1" | openssl base64 -A)"
}
d=$(digest "$1"); sign POST /v1/run-results "$d"`;

const SENDERS: [program: string, post: string, get: string][] = [
  [
    'curl',
    `curl -sS --noproxy '*' -H "Content-Type: application/json" -H "Content-Digest: $d" -H "Signature-Input: sig1=$input" -H "Signature: sig1=:$mac:" --data-binary "@$1" "http://$AUTHORITY/v1/run-results"`,
    `curl -sS --noproxy '*' -H "Signature-Input: sig1=$input" -H "Signature: sig1=:$mac:" "http://$AUTHORITY/v1/deliveries/$id"`,
  ],
  [
    'wget',
    `wget -q --no-proxy -O - --header "Content-Type: application/json" --header "Content-Digest: $d" --header "Signature-Input: sig1=$input" --header "Signature: sig1=:$mac:" --post-file "$1" "http://$AUTHORITY/v1/run-results"`,
    `wget -q --no-proxy -O - --header "Signature-Input: sig1=$input" --header "Signature: sig1=:$mac:" "http://$AUTHORITY/v1/deliveries/$id"`,
  ],
];

const isInstalled = (program: string) =>
  (process.env['PATH'] ?? '').split(delimiter).some((directory) => existsSync(join(directory, program)));

describe.each(SENDERS)('%s with openssl', (program, post, get) => {
  test.skipIf(![program, 'openssl'].every(isInstalled))(
    `${program} and openssl are there · post and ask · and are known`,
    async () => {
      const directory = await mkdtemp(join(tmpdir(), 'runstate-shell-'));
      const file = join(directory, 'run.json');
      await writeFile(file, BODY);
      const env = {
        ...process.env,
        DEVICE_ID,
        DEVICE_KEY: deviceKey.toString('base64'),
        AUTHORITY: `127.0.0.1:${world.port}`,
      };
      const script = `${SHELL_SIGN}
receipt=$(${post})
id=$(printf %s "$receipt" | sed -n 's/.*"deliveryId":"\\([^"]*\\)".*/\\1/p')
sign GET "/v1/deliveries/$id"
printf '%s\\n' "$receipt"
${get}`;
      const { stdout } = await run('sh', ['-c', script, 'sh', file], { env });
      const [receipt, delivery] = stdout.split('\n').map((line) => JSON.parse(line || 'null') as unknown);
      expect(receipt).toMatchObject({ runId: 'run-1', duplicate: false });
      expect(delivery).toMatchObject({ runId: 'run-1', deviceId: DEVICE_ID });
      await rm(directory, { recursive: true });
    },
  );
});

describe('several signatures', () => {
  const path = '/v1/run-results';
  const own = () =>
    signWithSig(
      `${origin}${path}`,
      { method: 'POST', path, body: BODY },
      [...REQUIRED, 'content-digest'],
      headersOf(BODY),
    );
  const post = (headers: Record<string, string | string[]>) =>
    send({ port: world.port, method: 'POST', path, headers, body: BODY });
  const foreign = (count: number) =>
    Array.from({ length: count }, (_, at) => ({
      input: `p${at}=("@authority");keyid="key of proxy ${at}"`,
      signature: `p${at}=:AAAA:`,
    }));

  test.each([
    [7, 202],
    [8, 401],
  ])('%i of others beside the device’s · are ignored, or too many · %i', async (count, status) => {
    const headers = await own();
    const others = foreign(count);
    const answer = await post({
      ...headers,
      'Signature-Input': [...others.map(({ input }) => input), headers['Signature-Input'] ?? ''],
      Signature: [...others.map(({ signature }) => signature), headers['Signature'] ?? ''],
    });
    expect(answer.status).toBe(status);
  });

  test('the first of two devices’ · counts · even where only the second is valid', async () => {
    const headers = await own();
    const first = `first=("@method" "@path" "content-digest");created=${Math.floor(Date.now() / 1000)};keyid="other-device";alg="hmac-sha256"`;
    const answer = await post({
      ...headers,
      'Signature-Input': `${first}, ${headers['Signature-Input']}`,
      Signature: `first=:AAAA:, ${headers['Signature']}`,
    });
    expect(answer.status).toBe(401);
  });

  test.each<[string, string, string]>([
    ['without a signature', 'x=("@method");keyid="d"', ''],
    ['that is no bytes', 'x=("@method");keyid="d"', 'x="AAAA"'],
    ['that is no list', 'x=?1;keyid="d"', 'x=:AAAA:'],
    ['that covers what nobody knows', 'x=("@nothing";y=1 token 7);keyid="a device"', 'x=:AAAA:'],
    ['whose keyid is a token', 'x=("@method");keyid=d', 'x=:AAAA:'],
  ])('a further one %s · changes nothing · in front of the device’s', async (_what, input, signature) => {
    const headers = await own();
    const answer = await post({
      ...headers,
      'Signature-Input': `${input}, ${headers['Signature-Input']}`,
      Signature: [signature, headers['Signature'] ?? ''].filter((one) => one !== '').join(', '),
    });
    expect(answer.status).toBe(202);
  });

  test.each(['x=', 'x=:!:', ',', 'x y'])(
    'a field that is malformed as a whole by %j · cannot be read · 401',
    async (rubbish) => {
      const headers = await own();
      expect((await post({ ...headers, Signature: `${headers['Signature']}, ${rubbish}` })).status).toBe(401);
    },
  );
});

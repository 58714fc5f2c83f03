// What lies between the sh agent and the bridge: authorities, proxies, tenants, chains of certificates, revocation, wrong clocks.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createTlsMaterial, type TlsMaterial } from '../../src/sandbox/server/certificates.ts';
import {
  createAgentDevice,
  isInstalled,
  ONE_SHELL,
  RUN,
  startAgentBridge,
  startStranger,
  type AgentBridge,
  type AgentDevice,
} from '../support/agent.ts';
import { createAuthority, type Authority } from '../support/certificates.ts';
import { inspectTls, startTunnelProxy } from '../support/tunnel-proxy.ts';

let directory: string;
let devices: Authority;
let inspector: TlsMaterial;
let bridge: AgentBridge;
let secure: AgentBridge;
let device: AgentDevice;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'runstate-agent-network-'));
  devices = await createAuthority();
  await writeFile(join(directory, 'devices.pem'), devices.pem);
  const own = await createTlsMaterial(join(directory, 'own'), ['localhost']);
  inspector = await createTlsMaterial(join(directory, 'inspector'), ['bridge.contoso.example']);
  await writeFile(join(directory, 'certificate.pem'), own.certificatePem);
  await writeFile(join(directory, 'key.pem'), own.privateKeyPem);
  bridge = await startAgentBridge({ env: { DEVICE_CA_FILE: join(directory, 'devices.pem') } });
  secure = await startAgentBridge({
    env: { TLS_CERT_FILE: join(directory, 'certificate.pem'), TLS_KEY_FILE: join(directory, 'key.pem') },
  });
});
afterAll(async () => {
  await secure.close();
  await bridge.close();
  await rm(directory, { recursive: true, force: true });
});

const add = (url: string, ...more: string[]) =>
  device.run(['add', ...device.options(url), ...RUN, '--exit-code', '0', '--no-wait', ...more]);
const send = (url: string, ...more: string[]) => device.run(['send', ...device.options(url), '--no-wait', ...more]);

describe('the agent', { timeout: 120_000 }, () => {
  beforeEach(() => (device = createAgentDevice(ONE_SHELL)));
  afterEach(() => device.close());

  test('a bridge with an authority of its own · is reached with --ca-file · and with nothing else', async () => {
    expect(await add(secure.url)).toMatchObject({
      code: 75,
      stderr: expect.stringMatching(/answer 000.*certificate/) as string,
    });
    const trusted = ['--ca-file', join(directory, 'own', 'ca.pem')];
    expect(await send(secure.url, ...trusted)).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(await secure.stored(device.deviceId)).toHaveLength(1);
  });

  test('a proxy that opens TLS with an authority of its own · is passed · with --proxy and --ca-file', async () => {
    await using proxy = await startTunnelProxy(inspectTls(inspector, bridge.port));
    const url = 'https://bridge.contoso.example';
    const through = ['--proxy', `http://it:two%20words@127.0.0.1:${proxy.port}`];
    expect(await add(url, ...through)).toMatchObject({
      code: 75,
      stderr: expect.stringMatching(/certificate/) as string,
    });
    const trusted = ['--ca-file', join(directory, 'inspector', 'ca.pem')];
    expect(await send(url, ...through, ...trusted)).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(await bridge.stored(device.deviceId)).toHaveLength(1);
    const credentials = Buffer.from('it:two words').toString('base64');
    expect(proxy.asked).toEqual(Array(2).fill(`bridge.contoso.example:443 Basic ${credentials}`));
  });

  test('a proxy that refuses the tunnel · loses nothing', async () => {
    await using proxy = await startTunnelProxy((_request, socket) => {
      socket.end('HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\n\r\n{"code":"blocked"}');
    });
    const { code } = await add('https://bridge.contoso.example', '--proxy', `http://127.0.0.1:${proxy.port}`);
    expect({ code, kept: device.kept().length }).toEqual({ code: 75, kept: 1 });
  });

  test('--tenant · is said in the signature', async () => {
    const signed: unknown[] = [];
    const stranger = await startStranger((request, response) => {
      signed.push(request.headers['signature-input']);
      response.writeHead(503).end();
    });
    expect(await add(stranger.url, '--tenant', 'contoso')).toMatchObject({ code: 75 });
    await stranger.close();
    expect(signed).toEqual([expect.stringContaining(`;keyid="contoso/${device.deviceId}";alg="hmac-sha256"`)]);
  });

  test('a certificate below another authority · is taken with that one · and kept without it', async () => {
    const issuing = await devices.below();
    const made = await issuing.issue({ subject: `CN=${device.deviceId}` });
    const [alone, chain, key] = ['alone', 'chain', 'private'].map((name) => join(device.directory, `${name}.pem`));
    if (!alone || !chain || !key) throw new Error('unreachable');
    await writeFile(alone, made.pem);
    await writeFile(chain, `${made.pem}${issuing.pem}`);
    await writeFile(key, made.keyPem);
    const signedBy = (certificate: string) =>
      add(bridge.url, '--certificate', certificate, '--private-key', key, '--run-id', 'run-1');
    expect(await signedBy(alone)).toMatchObject({ code: 75, stderr: expect.stringMatching(/answer 401/) as string });
    const signedWithChain = ['--certificate', chain, '--private-key', key];
    expect(await send(bridge.url, ...signedWithChain)).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(await bridge.stored(device.deviceId)).toHaveLength(1);
  });

  test('a device that is revoked · keeps its results · until it is restored', async () => {
    await bridge.operate(device.deviceId, 'revoke');
    expect(await add(bridge.url)).toMatchObject({ code: 75, stderr: expect.stringMatching(/answer 401/) as string });
    expect({ kept: device.kept().length, refused: device.refused() }).toEqual({ kept: 1, refused: [] });
    await bridge.operate(device.deviceId, 'restore');
    expect(await send(bridge.url)).toMatchObject({ code: 0 });
    expect(await bridge.stored(device.deviceId)).toHaveLength(1);
  });
});

const hasFaketime = isInstalled('faketime');
const titled = hasFaketime ? 'a clock' : 'a clock – skipped, faketime is not installed –';
test.skipIf(!hasFaketime).each(['-9d'])(`${titled} that is wrong by %s · holds up nothing`, async (offset) => {
  device = createAgentDevice(['faketime', '-f', offset, ...ONE_SHELL]);
  expect(await add('http://127.0.0.1:9')).toMatchObject({ code: 75 });
  expect(await send(bridge.url)).toMatchObject({ code: 0, stderr: expect.stringMatching(/clock differs/) as string });
  expect(await bridge.stored(device.deviceId)).toHaveLength(1);
  device.close();
});

// What the sh agent reports of a command, in every shell, and for devices of both identities.
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  createAgentDevice,
  ONE_SHELL,
  RUN,
  SHELLS,
  startAgentBridge,
  type AgentBridge,
  type AgentDevice,
} from '../support/agent.ts';
import { createAuthority, type Authority } from '../support/certificates.ts';
import { CONFIGURATION_ID } from '../support/device.ts';

let directory: string;
let root: Authority;
let bridge: AgentBridge;
let device: AgentDevice;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'runstate-agent-ca-'));
  root = await createAuthority();
  await writeFile(join(directory, 'ca.pem'), root.pem);
  bridge = await startAgentBridge({ env: { DEVICE_CA_FILE: join(directory, 'ca.pem'), PUBLIC_BASE_PATH: '/bios' } });
});
afterAll(async () => {
  await bridge.close();
  await rm(directory, { recursive: true, force: true });
});

describe.each(SHELLS)('$shell', ({ command, isMissing }) => {
  describe.skipIf(isMissing)('the agent', { timeout: 120_000 }, () => {
    beforeEach(() => (device = createAgentDevice(command)));
    afterEach(() => device.close());

    test('a command · is run once · and its exit code, output and error are reported', async () => {
      const script = 'printf "%s\\n" "$1"; printf "no \\"TPM\\"" >&2; umask; exit 7';
      const options = [
        ...device.options(`${bridge.url}/bios/`),
        ...RUN,
        '--upn',
        'ö@contoso.com',
        '--device-name',
        'Büro "1"',
      ];
      const ran = await device.run(['run', ...options, '--', 'sh', '-c', script, 'sh', 'two  words']);
      expect(ran).toEqual({ code: 0, stdout: '', stderr: '' });
      const [stored] = await bridge.stored(device.deviceId);
      expect(stored).toMatchObject({
        runId: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
        deviceId: device.deviceId,
        hardwareConfigurationId: CONFIGURATION_ID,
        policyVersion: 4,
        deviceName: 'Büro "1"',
        osVersion: expect.stringMatching(/.+/) as string,
        upn: 'ö@contoso.com',
        output: expect.stringMatching(/^two {2}words\n0?022\n$/) as string,
        error: 'no "TPM"',
      });
      expect(Math.abs(Date.parse(String(stored?.['completedAt'])) - Date.now())).toBeLessThan(30_000);
      expect(device.kept()).toEqual([]);
    });

    test('results that piled up · go as one batch · and one that is refused holds up none', async () => {
      for (const completedAt of ['2026-11-20T10:00:00Z', 'yesterday']) {
        const options = [
          '--state',
          'fail',
          '--completed-at',
          completedAt,
          '--run-id',
          completedAt.slice(0, 4),
          '--no-wait',
        ];
        const { code } = await device.run(['add', ...device.options('http://127.0.0.1:9'), ...RUN, ...options]);
        expect(code).toBe(75);
      }
      const { code } = await device.run(['send', ...device.options(bridge.url), '--no-wait']);
      expect({ code, kept: device.kept(), refused: device.refused().length }).toEqual({
        code: 65,
        kept: [],
        refused: 1,
      });
      expect(await bridge.stored(device.deviceId)).toMatchObject([{ runId: '2026' }]);
    });
  });
});

describe('the agent', { timeout: 120_000 }, () => {
  beforeEach(() => (device = createAgentDevice(ONE_SHELL)));
  afterEach(() => device.close());

  test.each([
    ['RSA', 'rsa', generateKeyPairSync('rsa', { modulusLength: 2048 })],
    ['P-256', 'ec', generateKeyPairSync('ec', { namedCurve: 'P-256' })],
  ])('a certificate with a key of %s · signs · for the device in its subject', async (_name, id, keys) => {
    const deviceId = `${device.deviceId}-${id}`;
    const made = await root.issue({ subject: `CN=${deviceId}, O=Contoso`, keys });
    await writeFile(join(device.directory, 'device.pem'), made.pem);
    await writeFile(join(device.directory, 'private.pem'), made.keyPem);
    const identity = ['--certificate', join(device.directory, 'device.pem')];
    identity.push('--private-key', join(device.directory, 'private.pem'));
    // Signatures over an elliptic curve differ each time, also in the length of their integers.
    for (const runId of ['run-1', 'run-2']) {
      const options = ['--url', bridge.url, '--spool', device.spool, ...RUN, '--state', 'success', '--run-id', runId];
      expect(await device.run(['add', ...identity, ...options])).toEqual({ code: 0, stdout: '', stderr: '' });
    }
    expect(await bridge.stored(deviceId)).toHaveLength(2);
  });
});

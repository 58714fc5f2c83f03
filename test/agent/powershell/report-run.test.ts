// The PowerShell agent under PowerShell 7: against the shared vectors, the real bridge, strangers in its place, and Intune’s pair of scripts.
import { createPublicKey } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createTlsMaterial } from '../../../src/sandbox/server/certificates.ts';
import { findAlgorithm, isSignedBy } from '../../../src/http/identity/signature/certificate-algorithms.ts';
import {
  createAgentDevice,
  isInstalled,
  RUN,
  startAgentBridge,
  startStranger,
  type AgentBridge,
  type AgentDevice,
} from '../../support/agent.ts';
import { CONFIGURATION_ID } from '../../support/device.ts';
import {
  openPowerShellSession,
  POWERSHELL,
  POWERSHELL_ENVIRONMENT,
  type PowerShellSession,
} from '../../support/powershell-session.ts';
import { inspectTls, startTunnelProxy } from '../../support/tunnel-proxy.ts';
import { until } from '../../support/until.ts';
import { ENCODINGS, EXIT_CODES, MASKING, SIGNATURES } from '../../support/vectors.ts';

const AGENT = 'src/agent/report-run.ps1';
const isMissing = !isInstalled('pwsh');
const NAME = isMissing ? 'PowerShell – skipped, it is not installed' : 'PowerShell';

type Checked = {
  masking: string[];
  maskedTwice: string[];
  texts: string[];
  caps: string[];
  shortened: string;
  exitCodes: string[];
  signatures: ({ base: string; headers: Record<string, string> } | null)[];
  backoff: number[];
  retryAfter: number[];
  arguments: { exitCode: number; error: string; output: string[] };
  given: string[];
  missing: number;
  entra: Record<string, string>;
  intune: string;
  osVersion: string;
  primaryUser: string;
  protectedKey: string;
  newer: string[];
};

const fromUtf16 = (base64: string) => Buffer.from(base64, 'base64').toString('utf16le');

describe.skipIf(isMissing)(`${NAME}: the agent’s functions`, () => {
  let directory: string;
  let checked: Checked;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'runstate-agent-'));
    const given = ['-Agent', AGENT, '-Vectors', 'test/vectors', '-Directory', directory];
    const [program = '', ...own] = POWERSHELL;
    const { stdout } = await promisify(execFile)(program, [...own, 'test/agent/powershell/check.ps1', ...given], {
      env: POWERSHELL_ENVIRONMENT,
      maxBuffer: 1e8,
    });
    checked = JSON.parse(stdout) as Checked;
  }, 240_000);
  afterAll(() => rm(directory, { recursive: true, force: true }));

  test('masking · hides what the vectors hide · and nothing more, also twice', () => {
    const got = MASKING.map(({ name }, index) => [name, fromUtf16(checked.masking[index] ?? '')]);
    expect(got).toEqual(MASKING.map(({ name, output }) => [name, output]));
    expect(checked.maskedTwice.map(fromUtf16)).toEqual(MASKING.map(({ output }) => output));
  });

  test('printed bytes · become clean text · with head and tail', () => {
    expect(checked.texts.map(fromUtf16)).toEqual(ENCODINGS.texts.map(({ text }) => text));
    const whole = ENCODINGS.caps.map(({ text }) => text.map((part) => part.text.repeat(part.times)).join(''));
    expect(checked.caps.map(fromUtf16)).toEqual(whole);
    // Cut before it was masked, and short after that.
    expect(checked.shortened).toMatch(/^cctk --setuppwd=\[masked\]\n[^]*\n\[\.\.\. \d{5} bytes left out \.\.\.\]\n/);
  });

  test('exit codes and states · are sent · as the vectors say', () => {
    const sent = checked.exitCodes.map((json) => {
      const { exitCode, state } = JSON.parse(json) as { exitCode?: number; state?: string };
      return { ...(exitCode !== undefined && { exitCode }), ...(state !== undefined && { state }) };
    });
    expect(sent).toEqual(EXIT_CODES.accepted.map((vector) => vector.sent));
  });

  test('signatures · have the vectors’ base · and verify', () => {
    for (const [index, vector] of SIGNATURES.requests.entries()) {
      const got = checked.signatures[index];
      if (vector.method !== 'POST') continue;
      expect([vector.name, got?.base]).toEqual([vector.name, vector.base]);
      expect(got?.headers['Signature-Input']).toBe(vector.signatureInput);
      const key = SIGNATURES.keys[vector.key];
      if (!key || key.algorithm !== 'ecdsa-p256-sha256') {
        expect(got?.headers['Signature']).toBe(vector.signature);
        continue;
      }
      const algorithm = findAlgorithm(key.algorithm);
      const bytes = Buffer.from(got?.headers['Signature']?.slice('device=:'.length, -1) ?? '', 'base64');
      expect(algorithm && isSignedBy({ key: createPublicKey(key.certificate), algorithm }, vector.base, bytes)).toBe(
        true,
      );
    }
  });

  test('waiting · doubles up to 15 minutes · and Retry-After is read in every form', () => {
    expect(checked.backoff.slice(1)).toEqual([15, 15, 22, 33, 549, 900, 900]);
    expect(checked.backoff[0]).toSatisfy((seconds: number) => seconds >= 15 && seconds <= 22);
    expect(checked.retryAfter).toEqual([1, 18, 2, 90, 0, -1, -1, -1]);
  });

  test('a command’s arguments · arrive as they are · whatever is in them', () => {
    expect(checked.arguments).toEqual({
      exitCode: 3,
      error: 'said',
      output: checked.given.map((given) => `<${given}>`),
    });
    expect(checked.missing).toBe(127);
  });

  test('the device’s certificate · is found by issuer, subject and registry · with stand-ins for Windows', () => {
    const first = 'CN=00000000-0000-4000-8000-000000000001';
    const second = 'CN=00000000-0000-4000-8000-000000000002';
    expect(checked.entra).toEqual({
      'the only one': first,
      'older form of the issuer': first,
      'another issuer': 'none',
      'a name that is no id': 'none',
      'without its private key': 'none',
      expired: 'none',
      'the newer of two': second,
      'the one the registry names': first,
      'a registry that is wrong': second,
    });
    expect(checked.intune).toBe('CN=b');
  });

  test('what Windows knows of the device · is reported · with stand-ins for Windows', () => {
    const { osVersion, primaryUser, protectedKey } = checked;
    expect([osVersion, primaryUser]).toEqual(['10.0.22631.4317', 'ada@contoso.com']);
    expect(protectedKey).toBe(Array.from({ length: 32 }, (_, index) => index + 1).join(','));
  });

  test('the scripts · parse · and use nothing newer than Windows PowerShell 5.1', () => {
    expect(checked.newer).toEqual([]);
  });
});

describe.skipIf(isMissing)(`${NAME}: the agent`, { timeout: 120_000 }, () => {
  let bridge: AgentBridge;
  let device: AgentDevice;
  /** For what needs no process of its own, which takes two seconds to start. */
  let session: PowerShellSession;
  beforeAll(async () => {
    session = openPowerShellSession(AGENT);
    bridge = await startAgentBridge({ env: { PUBLIC_BASE_PATH: '/bios' } });
  });
  afterAll(async () => {
    await session.close();
    await bridge.close();
  });
  beforeEach(() => (device = createAgentDevice(POWERSHELL, AGENT)));
  afterEach(() => device.close());
  const own = (url: string) => {
    const [, , , spool = '', , deviceId = '', , keyFile = ''] = device.options(url);
    return ['-Url', url, '-Spool', spool, '-DeviceId', deviceId, '-KeyFile', keyFile];
  };
  const NOBODY = 'http://127.0.0.1:9';

  test('a command · is run once · and its exit code, output and error are reported', async () => {
    const script = 'printf "%s\\n" "$1"; printf "cctk --setuppwd=Secret-1 \\"TPM\\"" >&2; exit 7';
    const options = [...own(`${bridge.url}/bios/`), '-Configuration', CONFIGURATION_ID, '-PolicyVersion', '4'];
    const ran = await device.run([
      '-Action',
      'Run',
      ...options,
      '-Upn',
      'ö@contoso.com',
      '--',
      'sh',
      '-c',
      script,
      'sh',
      'two  words',
    ]);
    expect(ran).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(await bridge.stored(device.deviceId)).toEqual([
      expect.objectContaining({
        exitCode: 7,
        policyVersion: 4,
        output: 'two  words\n',
        error: 'cctk --setuppwd=[masked] "TPM"',
        upn: 'ö@contoso.com',
      }),
    ]);
    expect(device.kept()).toEqual([]);
  });

  test('nobody there · is kept for its owner alone, in silence · and sent with others, of which one is refused', async () => {
    const add = (...more: string[]) => ['-Action', 'Add', ...own(NOBODY), ...RUN, ...more, '-Quiet'];
    const first = await device.run(add('-ExitCode', '0', '-RunId', 'one'));
    expect(first).toEqual({ code: 75, stdout: '', stderr: '' });
    for (const options of [
      ['-ExitCode', '1', '-RunId', 'two', '-CompletedAt', 'yesterday'],
      ['-State', 'pending', '-RunId', 'three'],
    ]) {
      expect(await session.run(add(...options))).toEqual({ code: 75, said: '' });
    }
    const modes = [device.spool, ...device.kept().map((name) => join(device.spool, name))].map(
      (path) => statSync(path).mode & 0o777,
    );
    expect(modes).toEqual([0o700, 0o600, 0o600, 0o600]);
    expect(readFileSync(join(device.spool, 'not-before'), 'utf8')).toMatch(/^\d+ (1[5-9]|[2-4]\d) agent\n$/);
    // What a crash of the machine may leave.
    const line = readFileSync(join(device.spool, device.kept()[0] ?? ''), 'utf8');
    writeFileSync(join(device.spool, '1-empty.json'), '');
    writeFileSync(join(device.spool, '2-cut.json'), '{"runId":"cut","deviceId":"');
    writeFileSync(join(device.spool, '3-other.json'), line);
    const sent = await device.run(['-Action', 'Send', ...own(`${bridge.url}/bios`), '-NoWait']);
    expect(sent).toMatchObject({ code: 65, stdout: '', stderr: expect.stringContaining('refused for good') as string });
    expect((await bridge.stored(device.deviceId)).map(({ runId }) => runId).sort()).toEqual(['one', 'three']);
    const aside = device.refused().map((name) => name.replace(/^\d{6,}-/, ''));
    expect(aside.sort()).toEqual(['1-empty.json', '2-cut.json', '3-other.json', 'two.json']);
    expect(device.kept()).toEqual([]);
  });

  test('a week offline with fifty results · is delivered · each once', async () => {
    // Written by the sh agent's rules: the spool of both is the same.
    mkdirSync(join(device.spool, 'refused'), { recursive: true });
    const beganAtS = Math.floor(Date.now() / 1000) - 7 * 86_400;
    for (let index = 0; index < 50; index += 1) {
      const atS = beganAtS + index * 12_000;
      const result = {
        runId: `run-${index}`,
        deviceId: device.deviceId,
        hardwareConfigurationId: CONFIGURATION_ID,
        policyVersion: 4,
        deviceName: 'PC',
        osVersion: '10.0',
        completedAt: new Date(atS * 1000).toISOString(),
        exitCode: 0,
        output: `${index}`,
      };
      writeFileSync(join(device.spool, `${atS}-run-${index}.json`), `${JSON.stringify(result)}\n`);
    }
    const lost = await startStranger((_, response) => response.destroy());
    expect(await session.run(['-Action', 'Send', ...own(lost.url)])).toMatchObject({ code: 75 });
    await lost.close();
    const silent = await startStranger(() => undefined);
    const killed = device.start(['-Action', 'Send', ...own(silent.url), '-NoWait']);
    await until('it sends', () => silent.asked > 0, 60_000);
    killed.kill();
    await killed.ended;
    await silent.close();
    const last = await session.run(['-Action', 'Send', ...own(`${bridge.url}/bios`), '-NoWait']);
    expect(last).toEqual({ code: 0, said: '' });
    const stored = (await bridge.stored(device.deviceId)).map(({ runId }) => runId);
    expect([stored.length, new Set(stored).size, device.kept()]).toEqual([50, 50, []]);
  });

  test('a proxy that opens TLS with an authority of its own · is passed · with -Proxy and -CaFile, and not without', async () => {
    const inspector = await createTlsMaterial(join(device.directory, 'inspector'), ['bridge.contoso.example']);
    // .NET says its password only to who asks for it.
    const open = inspectTls(inspector, bridge.port);
    await using proxy = await startTunnelProxy((asked, socket) => {
      if (asked.headers['proxy-authorization'] !== undefined) open(asked, socket);
      else socket.end('HTTP/1.1 407 Password\r\nProxy-Authenticate: Basic realm="it"\r\nContent-Length: 0\r\n\r\n');
    });
    const url = 'https://bridge.contoso.example/bios';
    const through = ['-Proxy', `http://it:two%20words@127.0.0.1:${proxy.port}`];
    const added = await session.run(['-Action', 'Add', ...own(url), ...RUN, '-ExitCode', '0', ...through]);
    expect(added).toMatchObject({ code: 75, said: expect.stringMatching(/certificate/) as string });
    const trusted = ['-CaFile', join(device.directory, 'inspector', 'ca.pem')];
    const sent = await device.run(['-Action', 'Send', ...own(url), '-NoWait', ...through, ...trusted]);
    expect(sent).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(await bridge.stored(device.deviceId)).toHaveLength(1);
    const credentials = Buffer.from('it:two words').toString('base64');
    expect(proxy.asked.at(-1)).toBe(`bridge.contoso.example:443 Basic ${credentials}`);
  });

  test('an unknown option · is wrong use · and ends with 64', async () => {
    const ran = await device.run(['-Action', 'Send', ...own(NOBODY), '-Nonsense', '1']);
    expect(ran).toMatchObject({ code: 64, stdout: '', stderr: expect.stringMatching(/^report-run: /) as string });
  });

  test('a spool that cannot be written · ends with 73 · before the command runs', async () => {
    writeFileSync(device.spool, 'a file');
    const witness = join(device.directory, 'ran');
    const ran = await session.run(['-Action', 'Run', ...own(NOBODY), ...RUN, '--', 'touch', witness]);
    expect([ran.code, existsSync(witness)]).toEqual([73, false]);
  });

  test('Intune’s pair · runs the tool once, reports, and says so in one line · with nothing on standard error', async () => {
    const home = join(device.directory, 'runstate-agent');
    mkdirSync(home);
    copyFileSync(AGENT, join(home, 'report-run.ps1'));
    const [, url, , , , deviceId, , keyFile] = own(`${bridge.url}/bios`);
    writeFileSync(
      join(home, 'agent.conf'),
      `Url=${url}\nSpool=${join(home, 'spool')}\nDeviceId=${deviceId}\nkey-file=${keyFile}\n`,
    );
    const pair = (name: string) => {
      const text = readFileSync(`src/agent/intune/${name}.ps1`, 'utf8')
        .replaceAll(/^\$Configuration = .*$/gm, `$Configuration = '${CONFIGURATION_ID}'`)
        .replaceAll(/^\$Tool = .*$/gm, `$Tool = 'sh'`)
        .replaceAll(/^\$Arguments = .*$/gm, `$Arguments = @('-c', 'echo SecureBoot=Enabled; exit 0')`)
        .replaceAll('$env:ProgramData', `'${device.directory}'`);
      writeFileSync(join(device.directory, `${name}.ps1`), text);
      const script = createAgentDevice(POWERSHELL, join(device.directory, `${name}.ps1`));
      return script.run([]).finally(script.close);
    };
    expect(await pair('detect')).toEqual({ code: 1, stdout: 'version 4 has not run\n', stderr: '' });
    expect(await pair('remediate')).toEqual({ code: 0, stdout: 'version 4 is reported\n', stderr: '' });
    expect(await pair('detect')).toEqual({ code: 0, stdout: 'version 4 has run\n', stderr: '' });
    expect(await bridge.stored(device.deviceId)).toMatchObject([{ exitCode: 0, output: 'SecureBoot=Enabled\n' }]);
    expect(readdirSync(join(home, 'spool', 'refused'))).toEqual([]);
  });
});

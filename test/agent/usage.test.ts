// How the sh agent is called: what is wrong use, what it says, and that every shell can read it.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AGENT, createAgentDevice, isInstalled, ONE_SHELL, RUN, SHELLS, type AgentDevice } from '../support/agent.ts';

const NOWHERE = 'http://127.0.0.1:9';
const hasShellcheck = isInstalled('shellcheck');

let device: AgentDevice;

const titled = hasShellcheck ? 'shellcheck' : 'shellcheck – skipped, it is not installed';
test.skipIf(!hasShellcheck)(`${titled} · finds nothing`, () => {
  expect(execFileSync('shellcheck', ['-s', 'sh', '-S', 'warning', AGENT], { encoding: 'utf8' })).toBe('');
});

/** Arguments besides those that say who reports, and what is said about them. */
const WRONG: [string, string[], RegExp][] = [
  ['no action', [], /usage/],
  ['another action', ['sned'], /usage/],
  ['an unknown option', ['send', '--colour', 'red'], /no option colour/],
  ['an option without its value', ['send', '--proxy'], /needs a value/],
  ['no command', ['run', ...RUN], /which command/],
  ['neither exit code nor state', ['add', ...RUN], /--exit-code or --state/],
  ['a state of its own', ['add', ...RUN, '--state', 'great'], /--state is one of/],
  ['an exit code that is none', ['add', ...RUN, '--exit-code', 'one'], /--exit-code/],
  ['no configuration', ['add', '--policy-version', '1', '--exit-code', '0'], /GUID/],
  ['a policy version that is none', ['add', ...RUN, '--exit-code', '0', '--policy-version', '-1'], /--policy-version/],
  ['a run id with a slash', ['add', ...RUN, '--exit-code', '0', '--run-id', '../x'], /run id/],
  ['a device id with a space', ['send', '--device-id', 'a b'], /device id/],
  ['an output that is not there', ['add', ...RUN, '--exit-code', '0', '--output', '/nowhere/x'], /cannot read/],
  ['a key that is not there', ['send', '--key-file', '/nowhere/x'], /cannot read/],
  ['a key that is none', ['send', '--key-file', AGENT], /key in base64/],
  ['a certificate that is not there', ['send', '--certificate', '/nowhere/x', '--private-key', AGENT], /cannot read/],
  ['no time to keep anything', ['send', '--max-age-h', '0'], /above 0/],
  ['no room to keep anything', ['send', '--max-mb', '00'], /above 0/],
  ['a tenant that is none', ['send', '--tenant', 'Contoso'], /--tenant/],
  [
    'a configuration of two lines',
    ['add', ...RUN, '--exit-code', '0', '--configuration', `${RUN[1] ?? ''}\nx`],
    /GUID/,
  ],
  ['another protocol', ['send', '--url', 'ftp://bridge'], /--url/],
  ['a configuration that is not there', ['send', '--config', '/nowhere/x'], /cannot read/],
];

describe.each(SHELLS)('$shell', ({ command, isMissing }) => {
  test.skipIf(isMissing)('the agent’s text · is valid', () => {
    const [shell = '', ...own] = command;
    expect(execFileSync(shell, [...own, '-n', AGENT], { encoding: 'utf8' })).toBe('');
  });
});

describe('the agent', { timeout: 120_000 }, () => {
  beforeEach(() => (device = createAgentDevice(ONE_SHELL)));
  afterEach(() => device.close());

  test('wrong use · is explained · with 64, and leaves nothing', async () => {
    const ran = await Promise.all(
      WRONG.map(async ([name, [action, ...args]]) => {
        const { code, stderr } = await device.run(
          action === undefined ? [] : [action, ...device.options(NOWHERE), ...args],
        );
        return { name, code, stderr };
      }),
    );
    expect(ran).toEqual(
      WRONG.map(([name, , said]) => ({ name, code: 64, stderr: expect.stringMatching(said) as string })),
    );
    expect(readdirSync(device.directory).sort()).toEqual(['key', 'programs']);
  });

  test('a configuration file · gives what the command line does not', async () => {
    const file = join(device.directory, 'agent.conf');
    const lines = [
      '\uFEFF# where to',
      `url=${NOWHERE}`,
      `spool=${device.spool}`,
      'device-id=X',
      'no-wait=yes',
      '',
      'upn=a=b\r',
    ];
    writeFileSync(file, [...lines, `key-file=${join(device.directory, 'key')}`, 'quiet=yes'].join('\n'));
    const ran = await device.run([
      'add',
      '--device-id',
      'Y',
      '--config',
      file,
      ...RUN,
      '--exit-code',
      '0',
      '--run-id',
      'r',
    ]);
    expect(ran).toEqual({ code: 75, stdout: '', stderr: '' });
    expect(device.kept()).toEqual([expect.stringMatching(/-r\.json$/)]);
  });

  test('a spool that cannot be written · is 73 · and the command is not run', async () => {
    writeFileSync(device.spool, 'not a directory');
    const ran = join(device.directory, 'ran');
    const { code, stderr } = await device.run(['run', ...device.options(NOWHERE), ...RUN, '--', 'touch', ran]);
    expect({ code, stderr }).toEqual({ code: 73, stderr: expect.stringContaining('cannot write') as string });
    expect(readdirSync(device.directory)).not.toContain('ran');
  });

  test('--quiet · says nothing · whatever happens', async () => {
    const quiet = ['--quiet', ...device.options(NOWHERE), ...RUN];
    const kept = await device.run(['run', ...quiet, '--', 'sh', '-c', 'echo out; echo error >&2']);
    const wrong = await device.run(['send', ...quiet, '--colour', 'red']);
    writeFileSync(join(device.directory, 'file'), '');
    const unwritable = await device.run(['send', ...quiet, '--spool', join(device.directory, 'file')]);
    expect([kept, wrong, unwritable]).toEqual([75, 64, 73].map((code) => ({ code, stdout: '', stderr: '' })));
  });

  test('--pass-exit-code · ends as the command did · after its result is kept', async () => {
    mkdirSync(device.spool);
    const options = [...device.options(NOWHERE), ...RUN, '--pass-exit-code'];
    expect(await device.run(['run', ...options, '--', 'sh', '-c', 'exit 9'])).toMatchObject({ code: 9 });
    expect(await device.run(['run', ...options, '--', '/nowhere/tool'])).toMatchObject({ code: 127 });
    expect(device.kept()).toHaveLength(2);
  });
});

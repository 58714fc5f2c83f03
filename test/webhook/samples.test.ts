// The samples of docs/announcements.md, run as they are: a receiver in JavaScript, a check in Python, and the doctor's test.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { examineAlerts } from '../../src/cli/doctor/alert-checks.ts';
import { toAlerts } from '../../src/config/alerts.ts';
import { environmentSchema } from '../../src/config/environment.ts';
import { ANNOUNCEMENT_TYPES } from '../../src/domain/announcements/announcement.ts';
import { runCli } from '../support/cli.ts';
import { INHERITED } from '../support/environment.ts';
import { freePort } from '../support/free-port.ts';
import { SIGNING_KEY, startReceiver } from '../support/receiver.ts';
import { until } from '../support/until.ts';

const PAGE = readFileSync('docs/announcements.md', 'utf8');

function sample(language: string): string {
  const [, code] = new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(PAGE) ?? [];
  if (code === undefined) throw new Error(`the page has no ${language}`);
  return code;
}

/** With what a worker is given besides, which is not there. */
const doctor = (env: Record<string, string>) =>
  runCli(['doctor', '--for', 'api', '--alert-test'], {
    env: { REDIS_URL: 'redis://127.0.0.1:1', DEVICE_GROUP_KEYS: Buffer.alloc(32, 1).toString('base64'), ...env },
  });
const findingsOf = (stdout: string) => stdout.split('\n').filter((line) => /^\w+ +alert-/.test(line));

test('the receiver in JavaScript · takes the doctor’s test · and refuses what is not signed with its secret', async () => {
  const port = await freePort();
  const env = { ...INHERITED, ALERT_WEBHOOK_SECRET: SIGNING_KEY, PORT: String(port) };
  const child = spawn(process.execPath, ['--input-type=module', '--eval', sample('js')], { env });
  onTestFinished(async () => {
    child.kill();
    await once(child, 'close');
  });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => void (printed += text));
  const url = `http://127.0.0.1:${port}/hooks?token=not-for-logs`;
  const ask = () =>
    fetch(url, { method: 'POST', body: '{}' }).then(
      ({ status }) => status,
      () => null,
    );
  await until('it listens and refuses', async () => (await ask()) === 401, 20_000);

  const good = await doctor({ ALERT_WEBHOOK_URL: url, ALERT_WEBHOOK_SECRET: SIGNING_KEY });
  expect(findingsOf(good.stdout)).toEqual([
    'ok       alert-webhook        is set; what it gets is signed',
    expect.stringMatching(/^ok {7}alert-test {11}the webhook answered 204 in \d+ ms: see that the test arrived$/),
  ]);
  await until('it printed', () => printed.includes('test null A test, sent by runstate-bridge doctor'));

  const bad = await doctor({ ALERT_WEBHOOK_URL: url });
  expect(bad.code).toBe(1);
  expect(findingsOf(bad.stdout)).toEqual([
    expect.stringMatching(/^WARNING {2}alert-webhook {8}is set, and what it gets is not signed/),
    'FAILED   alert-test           the webhook did not take the test: answered 401',
  ]);
  expect(bad.stdout).toContain('→ Compare the secret, and the token in the address, with the receiver’s.');
  expect(`${good.stdout}${good.stderr}${bad.stdout}${bad.stderr}`).not.toContain('not-for-logs');
}, 120_000);

const hasPython = spawnSync('python3', ['--version']).status === 0;

test.skipIf(!hasPython)(
  'the check in Python · takes what is signed, and nothing else',
  async () => {
    const receiver = await startReceiver();
    onTestFinished(() => receiver.close());
    const keys = `${Buffer.alloc(24, 3).toString('base64')},${SIGNING_KEY}`;
    const alerts = toAlerts(environmentSchema.parse({ ...receiver.environment(), ALERT_WEBHOOK_SECRET: keys }));
    for await (const { result } of examineAlerts({ alerts, proxy: null, isTest: true })) expect(result).toBe('ok');
    const [received] = receiver.received;
    const code = `${sample('python')}
import json, sys
given = json.load(sys.stdin)
print([is_good(given["secret"], given["headers"], (given["text"] + more).encode()) for more in ("", " ")])`;
    const given = JSON.stringify({ secret: SIGNING_KEY, headers: received?.headers, text: received?.text });
    const { stdout, stderr } = spawnSync('python3', ['-c', code], { input: given, encoding: 'utf8' });
    expect([stdout, stderr]).toEqual(['[True, False]\n', '']);
  },
  60_000,
);

test.each([
  [null, 'failed', 'Set ALERT_WEBHOOK_URL.'],
  [undefined, 'skipped', null],
])('without a webhook (%s) · the doctor’s test · is %s', async (alerts, result, remedy) => {
  const findings = [];
  for await (const finding of examineAlerts({ alerts, proxy: null, isTest: true })) findings.push(finding);
  expect(findings).toMatchObject([{ check: 'alert-test', result, remedy }]);
});

test('the types · are those of the code · each in the table', () => {
  const [, table = ''] = PAGE.split('## What is announced');
  const types = [...table.matchAll(/^\| `([\w.-]+)` /gm)].map(([, type]) => type);
  expect(types).toEqual(ANNOUNCEMENT_TYPES);
});

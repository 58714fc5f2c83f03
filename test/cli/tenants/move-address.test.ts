// The addresses that `move` takes, with their passwords from elsewhere, and how they are named without them.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { describeRedis, toRedisConfig } from '../../../src/cli/tenants/move-address.ts';
import { readPassword } from '../../../src/config/redis.ts';

const of = (url: string, passwordFile?: string) =>
  toRedisConfig({ option: '--to', url, passwordFile, variable: 'MOVE_TEST_PASSWORD', prefix: 'runstate' });
const passwordOf = ({ access }: ReturnType<typeof of>) => (access?.password ? readPassword(access.password) : null);

test.each([
  ['redis://user:secret@new:6380/2', 'new:6380, database 2'],
  ['rediss://new', 'new:6379'],
  ['redis://[fd00::1]:6379', '[fd00::1]:6379'],
  ['unix:///run/redis.sock', '/run/redis.sock'],
  ['redis+sentinel://user:secret@a:26379,b:26380/runs', 'runs at a:26379,b:26380'],
])('%s · is named %s', (url, name) => {
  expect(describeRedis(of(url))).toBe(name);
});

test('sentinels · with user, password and TLS · for them and for the servers', () => {
  const config = of('rediss+sentinel://user:se%40cret@a:26379,[fd00::1]:26380/runs');
  expect(config).toMatchObject({
    kind: 'sentinel',
    sentinels: [
      { host: 'a', port: 26_379 },
      { host: 'fd00::1', port: 26_380 },
    ],
    name: 'runs',
    access: { username: 'user', tls: true },
  });
  expect(passwordOf(config)).toBe('se@cret');
});

test('a password · from a file, or the environment · is that of an address without one', () => {
  const directory = mkdtempSync(join(tmpdir(), 'runstate-address-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, 'password'), 'from the file\n');
  process.env['MOVE_TEST_PASSWORD'] = 'from the environment';
  onTestFinished(() => {
    delete process.env['MOVE_TEST_PASSWORD'];
  });
  expect(passwordOf(of('redis://user@new', join(directory, 'password')))).toBe('from the file');
  expect(passwordOf(of('redis://user@new'))).toBe('from the environment');
  expect(() => of('redis://new', join(directory, 'missing'))).toThrow(/--to-password-file cannot be read: ENOENT/);
});

test.each(['http://new', 'new:6379', 'redis://', 'redis+sentinel://a/runs', 'redis://new/x'])(
  '%s · is refused · without being repeated',
  (url) => {
    expect(() => of(url)).toThrow(/^--to must/);
  },
);

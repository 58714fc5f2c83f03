// What servers of each version say when a right is missing: it is known for what it is, and named.
import { expect, test } from 'vitest';
import { createRedisErrors, isRefused } from '../../../src/queue/redis/redis-errors.ts';

const reply = (message: string) =>
  Object.assign(new Error(message), { name: 'ReplyError', command: { name: 'evalsha' } });

test.each([
  ['to a command', "NOPERM this user has no permissions to run the 'hincrby' command"],
  [
    'to a script, Redis 6.2',
    "ERR Error running script (call to f_3ed): @user_script:1: The user executing the script can't run this command or subcommand",
  ],
  [
    'to a script, Redis 7.0',
    "ERR The user executing the script can't run this command or subcommand script: 3ed711, on @user_script:1.",
  ],
  [
    'to a script, Redis 7.4 and Valkey 8',
    "ERR ACL failure in script: User default has no permissions to run the 'hincrby' command script: 3ed711, on @user_script:1.",
  ],
])('a right that is missing, %s · is a refusal · and is named', (_what, message) => {
  expect(isRefused(reply(message))).toBe(true);
  const errors = createRedisErrors(() => 5);
  expect(errors.note(reply(message))).toBe(false);
  expect(errors.lastDenied(1000)).toBe(message);
});

test('a fault of a script · is none', () => {
  expect(isRefused(reply('ERR user_script:1: attempt to index a nil value script: 3ed711, on @user_script:1.'))).toBe(
    false,
  );
});

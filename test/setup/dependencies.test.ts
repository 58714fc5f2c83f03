// The npm dependencies: when they are installed, and that two set-ups at once do it once.
import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';

import { createCheckout, lockFile, type Checkout } from './checkout.ts';

const wanted = lockFile({
  'node_modules/one': { version: '1.0.0' },
  'node_modules/two': { version: '2.0.0', optional: true },
});

/** Stands in for npm: notes each call and leaves what a whole installation leaves. */
const npm = (before = '') => `${before}
echo "$PWD: npm $*" >> npm.log
echo '${wanted}' > node_modules/.package-lock.json`;

async function createCheckoutWithNpm(before?: string): Promise<Checkout> {
  const checkout = await createCheckout();
  await checkout.program('npm', npm(before));
  await checkout.program('program', 'echo ran');
  await checkout.file('package-lock.json', wanted);
  await checkout.file('npm.log', '');
  return checkout;
}

test.for([
  ['were never installed', lockFile({})],
  ['have another version', lockFile({ 'node_modules/one': { version: '1.0.1' } })],
  [
    'have one too many',
    lockFile({ 'node_modules/one': { version: '1.0.0' }, 'node_modules/three': { version: '3.0.0' } }),
  ],
  ['were broken off', 'not a lock file'],
] as const)('the dependencies %s · npm ci installs them · then the program runs', async ([, installed]) => {
  const checkout = await createCheckoutWithNpm();
  await checkout.file('node_modules/.package-lock.json', installed);

  const { code, stdout, stderr } = await checkout.run(['program']);

  expect({ code, stdout }).toEqual({ code: 0, stdout: 'ran\n' });
  expect(stderr).toMatch(/^setup: installing the npm dependencies; .*\n$/);
  expect(await checkout.read('npm.log')).toMatch(new RegExp(`^${checkout.directory}: npm ci .*\n$`));
});

test('only an optional package is missing · it is not made for this machine · nothing is installed', async () => {
  const checkout = await createCheckoutWithNpm();

  expect(await checkout.run(['program'])).toEqual({ code: 0, stdout: 'ran\n', stderr: '' });
  expect(await checkout.read('npm.log')).toBe('');
});

test('npm leaves out a package for this machine · its Node is too old · npm runs again on the Node it brought', async () => {
  const checkout = await createCheckout();
  const one = { version: '1.0.0' };
  const two = { version: '2.0.0', optional: true, os: [process.platform], cpu: [process.arch] };
  const whole = lockFile({ 'node_modules/one': one, 'node_modules/two': two });
  await checkout.file('package-lock.json', whole);
  await checkout.file('whole', whole);
  await checkout.program('program', 'echo ran');
  await checkout.program(
    'npm',
    `echo "$1 $PATH" >> npm.log
     if [ "$1" = install ]; then read -r all < whole; echo "$all" > node_modules/.package-lock.json; fi`,
  );

  expect(await checkout.run(['program'])).toMatchObject({ code: 0, stdout: 'ran\n' });

  const ownNode = `${checkout.directory}/node_modules/node-${process.platform}-${process.arch}/bin`;
  expect((await checkout.read('npm.log')).trim().split('\n')).toEqual([
    `ci ${checkout.directory}/machine`,
    `install ${checkout.directory}/.tools/bin:${ownNode}:${checkout.directory}/machine`,
  ]);
});

test('npm fails · the program does not run · one line says where to look', async () => {
  const checkout = await createCheckoutWithNpm('exit 1');
  await checkout.file('node_modules/.package-lock.json', lockFile({}));

  const { code, stdout, stderr } = await checkout.run(['program']);

  expect({ code, stdout }).toEqual({ code: 69, stdout: '' });
  expect(stderr).toContain('setup: the npm dependencies could not be installed; what npm said is above\n');
});

test('two set-ups at once · the second waits · npm runs once', async () => {
  const checkout = await createCheckoutWithNpm('until [ -e go ]; do :; done');
  await checkout.file('node_modules/.package-lock.json', lockFile({}));

  const first = checkout.start(['program']);
  await first.says('installing');
  const second = checkout.start(['program']);
  await second.says('another set-up is at work here');
  await checkout.file('go', '');

  expect(await first.ended).toMatchObject({ code: 0, stdout: 'ran\n' });
  expect(await second.ended).toMatchObject({ code: 0, stdout: 'ran\n' });
  expect((await checkout.read('npm.log')).split('\n')).toHaveLength(2);
});

test('a set-up died at work and another process has its id now · nobody waits for that one', async () => {
  const checkout = await createCheckoutWithNpm();
  await checkout.file('node_modules/.package-lock.json', lockFile({}));
  await checkout.file(`.tools/lock/${process.pid}-1`, '');

  expect(await checkout.run(['program'])).toMatchObject({ code: 0, stdout: 'ran\n' });
});

test('a set-up died at work · its lock stays behind · the next one takes it over', async () => {
  const checkout = await createCheckoutWithNpm();
  await checkout.file('node_modules/.package-lock.json', lockFile({}));
  await checkout.file(`.tools/lock/${spawnSync('true').pid}`, '');

  expect(await checkout.run(['program'])).toMatchObject({ code: 0, stdout: 'ran\n' });
  expect(await checkout.read('npm.log')).not.toBe('');
});

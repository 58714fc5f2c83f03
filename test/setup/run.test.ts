// The door of `npm run demo` and `npm test`: what it passes on to the program behind it.
import { expect, test } from 'vitest';

import { createCheckout } from './checkout.ts';

test('everything is there · a file runs on Node with its arguments · the set-up says nothing', async () => {
  const checkout = await createCheckout();
  await checkout.file('hello.js', 'console.log(process.argv.slice(2).join(" "))');

  expect(await checkout.run(['hello.js', 'demo', '--once'])).toEqual({ code: 0, stdout: 'demo --once\n', stderr: '' });
});

test('everything is there · a command runs from the PATH · what was fetched for the project comes first', async () => {
  const checkout = await createCheckout();
  await checkout.program('say-path', 'echo "$1 $PATH"');

  const { stdout } = await checkout.run(['say-path', 'PATH'], {
    PATH: `/else/node_modules/.bin:${checkout.directory}/machine`,
  });

  const [first, ...others] = stdout.trim().split(':');
  expect(first).toBe(`PATH ${checkout.directory}/.tools/bin`);
  expect(others).toContain(`${checkout.directory}/node_modules/.bin`);
  expect(others.at(-1)).toBe(`${checkout.directory}/machine`);
});

test.for([
  ['exits with 7', 'process.exit(7)', 7],
  ['is killed by SIGKILL', 'process.kill(process.pid, "SIGKILL")', 137],
] as const)('the program %s · the door ends likewise · as a shell would say it', async ([, program, code]) => {
  const checkout = await createCheckout();
  await checkout.file('program.js', program);

  expect(await checkout.run(['program.js'])).toEqual({ code, stdout: '', stderr: '' });
});

test.for(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
  'the door gets %s · the program gets it · and decides when both end',
  async (signal) => {
    const checkout = await createCheckout();
    await checkout.file(
      'program.js',
      `process.once('${signal}', (name) => { console.log('got ' + name); process.exit(3); });
       setInterval(() => {}, 1000);
       console.log('ready');`,
    );
    const door = checkout.start(['program.js']);
    await door.says('ready');

    door.child.kill(signal);

    expect(await door.ended).toEqual({ code: 3, stdout: `ready\ngot ${signal}\n`, stderr: '' });
  },
);

test('the program does not exist · one line says so · exit code 127', async () => {
  const checkout = await createCheckout();

  expect(await checkout.run(['no-such-program'])).toEqual({
    code: 127,
    stdout: '',
    stderr: 'setup: no-such-program could not be started\n',
  });
});

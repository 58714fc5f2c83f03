// Where the Redis server comes from, and the one line that is said when it comes from nowhere.
import { expect, test } from 'vitest';

import { createCheckout, redis, type Checkout } from './checkout.ts';

const absent = 'exit 127';

async function createCheckoutWith(redisServer: string): Promise<Checkout> {
  const checkout = await createCheckout();
  await checkout.program('redis-server', redisServer);
  await checkout.program('program', 'redis-server --version');
  return checkout;
}

test.for(['6.2.0', '7.0.15', '10.1.0'])(
  'the machine has Redis %s · it is new enough · nothing is fetched',
  async (version) => {
    const checkout = await createCheckoutWith(redis(version));

    const { code, stdout, stderr } = await checkout.run(['program']);

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(`v=${version} `);
  },
);

test.for([
  ['no Redis', absent],
  ['Redis 5.0.14', redis('5.0.14')],
  ['Redis 6.0.16', redis('6.0.16')],
] as const)(
  'the machine has %s and is not a Debian · one line says what to install · exit code 69',
  async ([, server]) => {
    const checkout = await createCheckoutWith(server);

    expect(await checkout.run(['program'])).toEqual({
      code: 69,
      stdout: '',
      stderr:
        'setup: redis-server 6.2 or newer is needed; install it with your package manager, or set REDIS_URL to one that runs' +
        ' (it is fetched only on Debian and Ubuntu)\n',
    });
  },
);

test.for(['REDIS_URL', 'REDIS_SENTINELS', 'REDIS_CLUSTER'])(
  '%s is set · the machine has no Redis · none is needed',
  async (name) => {
    const checkout = await createCheckout();
    await checkout.program('redis-server', absent);
    await checkout.program('program', 'echo ran');

    expect(await checkout.run(['program'], { [name]: 'elsewhere:6379' })).toEqual({
      code: 0,
      stdout: 'ran\n',
      stderr: '',
    });
  },
);

test('a Debian without Redis · its package is unpacked into .tools · and is there the next time', async () => {
  const checkout = await createCheckoutWith(absent);
  await checkout.program(
    'apt-get',
    'case "$*" in *install*) cd .tools/apt/cache/archives; echo > redis-server_7.deb; echo > redis-tools_7.deb;; esac',
  );
  await checkout.program(
    'dpkg',
    `/bin/mkdir -p "$3/usr/bin" "$3/usr/lib/x86_64-linux-gnu"
     for program in redis-server redis-cli; do
       printf '#!/bin/sh\\n%s "$LD_LIBRARY_PATH"\\n' "${redis('7.0.15')}" > "$3/usr/bin/$program"
       /bin/chmod +x "$3/usr/bin/$program"
     done`,
  );

  const first = await checkout.run(['program']);
  const second = await checkout.run(['program']);

  expect(first).toMatchObject({ code: 0, stderr: 'setup: fetching a private Redis server into .tools\n' });
  expect(first.stdout).toMatch(/v=7\.0\.15 .*\.tools\/bin\/\.\.\/redis\/usr\/lib\/x86_64-linux-gnu/);
  expect(second).toEqual({ ...first, stderr: '' });
});

test('a Debian that reaches no package server · says what apt said · exit code 69', async () => {
  const checkout = await createCheckoutWith(absent);
  await checkout.program(
    'apt-get',
    'case "$*" in *--version*) ;; *) echo "W: warned" >&2; echo "E: Unable to locate package redis-server" >&2; exit 100;; esac',
  );

  const { code, stderr } = await checkout.run(['program']);

  expect(code).toBe(69);
  expect(stderr.trim().split('\n')).toEqual([
    'setup: fetching a private Redis server into .tools',
    'setup: redis-server 6.2 or newer is needed; install it with your package manager, or set REDIS_URL to one that runs' +
      ' (E: Unable to locate package redis-server)',
  ]);
});

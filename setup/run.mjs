// Entry point of `npm run demo` and `npm test`: completes the set-up, then runs the given program.
import path from 'node:path';

import { become } from './become.mjs';
import { ensureDependencies } from './dependencies.mjs';
import { chooseNode } from './node.mjs';
import { inCheckout, pathWith } from './places.mjs';
import { ensureRedis } from './redis.mjs';
import { Impossible, say } from './say.mjs';

const [target, ...args] = process.argv.slice(2);

try {
  if (target === undefined) throw new Impossible('what to run? node setup/run.mjs FILE.ts|COMMAND [ARGUMENT…]', 64);
  await ensureRedis();
  await ensureDependencies();
  const node = await chooseNode();
  const env = {
    // Compiled code is kept between runs: a command starts in half the time.
    NODE_COMPILE_CACHE: inCheckout('node_modules', '.cache', 'node'),
    ...process.env,
    PATH: pathWith(path.dirname(node), inCheckout('node_modules', '.bin')),
  };
  process.exitCode = /\.[cm]?[jt]s$/.test(target)
    ? await become(node, [target, ...args], env)
    : await become(target, args, env);
} catch (error) {
  if (!(error instanceof Impossible)) throw error;
  say(error.message);
  process.exitCode = error.exitCode;
}

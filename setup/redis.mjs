// Finds a Redis server: configured, installed, or a private copy in .tools.
import { capture } from './capture.mjs';
import { fetchRedis } from './fetch-redis.mjs';
import { exclusively } from './lock.mjs';
import { pathWith } from './places.mjs';
import { Impossible } from './say.mjs';
import { isAtLeast } from './version.mjs';

const minimum = '6.2';
const configuration = ['REDIS_URL', 'REDIS_SENTINELS', 'REDIS_CLUSTER'];

export async function ensureRedis() {
  if (configuration.some((name) => process.env[name]) || (await isThere())) return;
  await exclusively(async () => {
    if (await isThere()) return;
    const obstacle = await fetchRedis();
    if (obstacle === undefined && (await isThere())) return;
    throw new Impossible(
      `redis-server ${minimum} or newer is needed; install it with your package manager, or set REDIS_URL to one that runs` +
        ` (${obstacle ?? `what was fetched is ${(await version()) ?? 'not able to run here'}`})`,
    );
  });
}

async function isThere() {
  const found = await version();
  return found !== undefined && isAtLeast(found, minimum);
}

/** @returns {Promise<string | undefined>} such as `7.0.15` */
async function version() {
  const { stdout } = await capture('redis-server', ['--version'], { ...process.env, PATH: pathWith() });
  return /\bv=(\d+\.\d+[.\d]*)/.exec(stdout)?.[1];
}

// The secret that fingerprints are made with: in Redis, sealed under every key the environment has, so that none of them is missed when it goes.
import { createHmac, createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import type { RedisConnection } from '../redis/connection.ts';
import { scriptOf } from '../redis/script.ts';
import { createPayloadCipher } from './payload-cipher.ts';

export type FingerprintSecret = { id: string; key: KeyObject };

export type FingerprintSecrets = {
  /** What new fingerprints are made with. Asks Redis the first time, and again after a lost connection. */
  current: () => Promise<FingerprintSecret>;
  /** Null where no key opens it: fingerprints made with it can be read by nobody. */
  find: (id: string) => Promise<FingerprintSecret | null>;
};

export const SECRET_ID_CHARACTERS = 4;
const SECRET_BYTES = 32;
/** Whose sealed text it is; no delivery has such an id. */
const OWNER = 'fingerprint-secret';
/** Where no key was configured that could seal it. */
const UNSEALED = 'unsealed';

type Wrapping = { field: string; wrap: (secret: string) => string; unwrap: (value: string) => string };

/**
 * Opens the secrets of one tenant. The first process makes one; it stays for ever. Each process seals it under those
 * of its keys it is not sealed under yet, so any key may be taken away that was configured beside another one.
 * @param keys secrets that Redis does not hold: payload keys, group keys
 */
export function openFingerprintSecrets(
  redis: RedisConnection,
  redisKey: string,
  keys: readonly Buffer[],
): FingerprintSecrets {
  const settle = scriptOf(redis, 'store/settle-fingerprint-secret');
  const wrappings = [...keys.map(toWrapping), { field: UNSEALED, wrap: same, unwrap: same }];
  const usable = wrappings.slice(0, Math.max(1, keys.length));
  const known = new Map<string, FingerprintSecret>();
  let text = randomBytes(SECRET_BYTES).toString('base64url');
  let loading: Promise<FingerprintSecret> | null = null;
  redis.on('ready', () => (loading = null));

  async function load(): Promise<FingerprintSecret> {
    const unsealed = keys.length > 0 ? await redis.hget(redisKey, UNSEALED) : null;
    text = unsealed ?? text;
    const args = usable.flatMap(({ field, wrap }) => [field, wrap(text)]);
    const values = (await settle([redisKey], args)) as (string | null)[];
    const texts = usable.map(({ unwrap }, at) => unwrapped(values[at] ?? null, unwrap));
    text = texts.find((one) => one !== null) ?? text;
    for (const one of [text, unsealed, ...texts]) if (one !== null) remember(toSecret(one));
    for (const [at, { field, wrap }] of usable.entries()) {
      // Another process may be at the same; what cannot be opened is of no use to it either.
      if (values[at] === null) await redis.hsetnx(redisKey, field, wrap(text));
      else if (texts[at] === null) await redis.hset(redisKey, field, wrap(text));
    }
    // Whoever reads Redis is not to find it any more.
    if (unsealed !== null && unsealed === text) await redis.hdel(redisKey, UNSEALED);
    return toSecret(text);
  }

  const remember = (secret: FingerprintSecret) => void known.set(secret.id, secret);

  function current(): Promise<FingerprintSecret> {
    loading ??= load().catch((error: unknown) => {
      loading = null;
      throw error;
    });
    return loading;
  }

  return {
    current,
    find: async (id) => {
      if (!known.has(id)) {
        loading = null;
        await current();
      }
      return known.get(id) ?? null;
    },
  };
}

const same = (text: string) => text;

function unwrapped(value: string | null, unwrap: Wrapping['unwrap']): string | null {
  try {
    return value === null ? null : unwrap(value);
  } catch {
    return null;
  }
}

function toSecret(text: string): FingerprintSecret {
  const bytes = Buffer.from(text, 'base64url');
  const id = createHmac('sha256', bytes).update('id').digest('base64url').slice(0, SECRET_ID_CHARACTERS);
  return { id, key: createSecretKey(bytes) };
}

/** Under a key of its own, which tells nothing of the one it is made of. */
function toWrapping(key: Buffer): Wrapping {
  const { seal, open } = createPayloadCipher([createHmac('sha256', key).update('fingerprint secret').digest()]);
  const wrap = (secret: string) => seal(secret, OWNER);
  return { field: wrap('').split('.')[1] ?? '', wrap, unwrap: (value) => open(value, OWNER) };
}

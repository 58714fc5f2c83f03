// The secret key for fingerprints: stored in Redis, sealed under each configured key, so that any one of them can be removed.
import { createHmac, createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import type { RedisConnection } from '../redis/connection.ts';
import { scriptOf } from '../redis/script.ts';
import { createPayloadCipher } from './payload-cipher.ts';

export type FingerprintSecret = { id: string; key: KeyObject };

export type FingerprintSecrets = {
  /** The secret for new fingerprints. Reads Redis the first time, and again after a lost connection. */
  current: () => Promise<FingerprintSecret>;
  /** Null if no key opens it: fingerprints made with it can no longer be verified. */
  find: (id: string) => Promise<FingerprintSecret | null>;
  /** Lets go of the connection, which goes on. */
  close: () => void;
};

export const SECRET_ID_CHARACTERS = 4;
const SECRET_BYTES = 32;
/** The owner id for sealing; no delivery has this id. */
const OWNER = 'fingerprint-secret';
/** The field used if no key was configured to seal it. */
const UNSEALED = 'unsealed';

type Wrapping = { field: string; wrap: (secret: string) => string; unwrap: (value: string) => string };

/**
 * Opens the secrets of one tenant. The first process creates one, which is kept for ever. Each process also seals it
 * under those of its keys that are not used yet, so any key that was configured along with another can be removed.
 * @param keys secrets that are not stored in Redis: payload keys, group keys
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
  const onReady = () => void (loading = null);
  redis.on('ready', onReady);

  async function load(): Promise<FingerprintSecret> {
    const unsealed = keys.length > 0 ? await redis.hget(redisKey, UNSEALED) : null;
    text = unsealed ?? text;
    const args = usable.flatMap(({ field, wrap }) => [field, wrap(text)]);
    const values = (await settle([redisKey], args)) as (string | null)[];
    const texts = usable.map(({ unwrap }, at) => unwrapped(values[at] ?? null, unwrap));
    text = texts.find((one) => one !== null) ?? text;
    for (const one of [text, unsealed, ...texts]) if (one !== null) remember(toSecret(one));
    for (const [at, { field, wrap }] of usable.entries()) {
      // Another process may be doing the same; a value that cannot be opened here is of no use to it either.
      if (values[at] === null) await redis.hsetnx(redisKey, field, wrap(text));
      else if (texts[at] === null) await redis.hset(redisKey, field, wrap(text));
    }
    // Now that it is sealed, the plain copy must not stay in Redis.
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
    close: () => void redis.off('ready', onReady),
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

/** Seals with a derived key that reveals nothing about the original one. */
function toWrapping(key: Buffer): Wrapping {
  const { seal, open } = createPayloadCipher([createHmac('sha256', key).update('fingerprint secret').digest()]);
  const wrap = (secret: string) => seal(secret, OWNER);
  return { field: wrap('').split('.')[1] ?? '', wrap, unwrap: (value) => open(value, OWNER) };
}

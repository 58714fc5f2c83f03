// Claims: which delivery owns a record in Graph, so that none is matched with another's.
import { hash } from 'node:crypto';
import type { Keys } from '../redis/keys.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { scriptOf } from '../redis/script.ts';

/** What owns a record in Graph: a delivery, or what is left of one. `token` names it for a save that takes the record over. */
export type Owner = { token: string } & (
  { kind: 'delivery'; id: string } | { kind: 'compacted'; deliveredAt: number; isCreator: boolean }
);

export type Claims = {
  /** Null if none has claimed it. */
  findOwner: (deviceRunStateId: string) => Promise<Owner | null>;
  /** Those of these Graph records that no other delivery has claimed. */
  unclaimed: (deviceRunStateIds: readonly string[], id: string) => Promise<string[]>;
};

/** 64 bits: a claim that is not one would have a record created twice. */
const HASH_BYTES = 8;
const COMPACTED = '~';

/** Names a record in Graph among compacted claims. */
export const toClaimHash = (deviceRunStateId: string): string =>
  hash('sha256', deviceRunStateId, 'buffer').subarray(0, HASH_BYTES).toString('base64url');

export function createClaims(redis: RedisConnection, keys: Keys): Claims {
  const ownersScript = scriptOf(redis, 'store/read-owners');

  async function readOwners(ids: readonly string[]): Promise<(string | null)[]> {
    const owners = await ownersScript(
      ids.map((id) => keys.record(id)),
      [keys.root, ...ids.map(toClaimHash)],
    );
    return owners as (string | null)[];
  }

  return {
    findOwner: async (deviceRunStateId) => {
      const [token] = await readOwners([deviceRunStateId]);
      return token == null ? null : parseOwner(token);
    },
    unclaimed: async (deviceRunStateIds, id) => {
      if (deviceRunStateIds.length === 0) return [];
      const owners = await readOwners(deviceRunStateIds);
      return deviceRunStateIds.filter((_, index) => owners[index] === null || owners[index] === id);
    },
  };
}

/** Compacted: twice the instant of delivery, and 1 more if the last attempt created the record. */
function parseOwner(token: string): Owner {
  if (!token.startsWith(COMPACTED)) return { token, kind: 'delivery', id: token };
  const packed = Number.parseInt(token.slice(COMPACTED.length), 16);
  return { token, kind: 'compacted', deliveredAt: Math.floor(packed / 2), isCreator: packed % 2 === 1 };
}

// Compacted runs: what is left of delivered ones once their details are dropped, read from the entries that scripts keep.
import type { CompactedDelivery } from '../../domain/submission/compacted-delivery.ts';
import { isDeliveryId } from '../../domain/delivery.ts';
import type { Keys } from '../redis/keys.ts';
import type { RedisConnection } from '../redis/connection.ts';
import type { SavedCompacted } from '../redis/replicas/shared-wait.ts';
import { scriptOf } from '../redis/script.ts';

/** With the fingerprint of its run result. */
export type CompactedRun = { delivery: CompactedDelivery; fingerprint: string };

export type FindCompacted = (id: string) => Promise<CompactedDelivery | null>;

/** As in `lua/includes/compacted/entries.lua`. */
const FINGERPRINT_BYTES = 20;
const INSTANT_BYTES = 6;
const FINGERPRINT_CHARACTERS = 26;

/** @param entry in hex */
export function parseCompacted(id: string, tenantId: string, entry: string): CompactedRun {
  const bytes = Buffer.from(entry, 'hex');
  const tagAt = FINGERPRINT_BYTES + 2 * INSTANT_BYTES;
  const fingerprint = bytes.subarray(0, FINGERPRINT_BYTES).toString('base64url').slice(0, FINGERPRINT_CHARACTERS);
  const delivery = {
    id,
    tenantId,
    acceptedAt: bytes.readUIntBE(FINGERPRINT_BYTES, INSTANT_BYTES),
    deliveredAt: bytes.readUIntBE(FINGERPRINT_BYTES + INSTANT_BYTES, INSTANT_BYTES),
    deviceTag: bytes.subarray(tagAt).toString('base64url'),
  };
  return { delivery, fingerprint: `2.${fingerprint}` };
}

/** For the wait for replicas. @param root prefix of the tenant's keys */
export const toSavedCompacted = (root: string, id: string, fingerprint: string): SavedCompacted => ({
  root,
  id,
  isSaved: (entry) => parseCompacted(id, '', entry).fingerprint === fingerprint,
});

/** The bytes of a delivery id as four numbers: scripts turn these into bytes sooner than text. */
export function toNumbers(id: string): string {
  const bytes = Buffer.from(id.slice(1), 'base64url');
  return [0, 4, 8, 12].map((at) => bytes.readUInt32BE(at)).join(' ');
}

export function createFindCompacted(redis: RedisConnection, keys: Keys, tenantId: string): FindCompacted {
  const findScript = scriptOf(redis, 'store/find-compacted');
  return async (id) => {
    if (!isDeliveryId(id) || !isCanonical(id)) return null;
    const entry = (await findScript([keys.counts], [keys.root, id])) as string | null;
    return entry === null ? null : parseCompacted(id, tenantId, entry).delivery;
  };
}

/** The last character of an id has bits that are not part of its bytes. */
const isCanonical = (id: string) => Buffer.from(id.slice(1), 'base64url').toString('base64url') === id.slice(1);

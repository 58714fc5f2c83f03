// A record's id that Graph gave twice: whether the first delivery's record was replaced, as where Graph keeps one row per device.
import type { Delivery, Outcome } from '../delivery.ts';

/** Who has the record already. */
type Owner = Pick<Delivery, 'attempts' | 'deliveredAt'>;

/** @param oneRowPerDevice whether the tenant was seen to keep one row per device */
export function isReplaced(
  owner: Owner,
  outcome: Extract<Outcome, { kind: 'created' | 'found' }>,
  delivery: Pick<Delivery, 'mark' | 'uncertainty' | 'acceptedAt'>,
  oneRowPerDevice: boolean,
): boolean {
  const ownedAt = owner.deliveredAt ?? Infinity;
  switch (outcome.kind) {
    case 'created':
      // One that only found the record, and did so after this create was announced, may have found this one's.
      return owner.attempts.at(-1)?.outcome === 'created' || ownedAt < (delivery.mark?.at ?? delivery.acceptedAt);
    case 'found':
      // The row says what this run says, so it is this one's, whichever create wrote it last. Elsewhere it is the owner's.
      return oneRowPerDevice && ownedAt < (delivery.uncertainty?.since ?? delivery.acceptedAt);
  }
}

// Whether Graph replaced an earlier delivery's record when it returned the same id twice, as with one row per device.
import type { Attempt, Delivery, Outcome } from '../delivery.ts';

/** The delivery that already owns the record. */
type Owner = Pick<Delivery, 'deliveredAt'> & { attempts: readonly Pick<Attempt, 'outcome'>[] };

type ClaimedTwice = {
  owner: Owner;
  outcome: Extract<Outcome, { kind: 'created' | 'found' }>;
  delivery: Pick<Delivery, 'intent' | 'uncertainty' | 'acceptedAt'>;
  /** Whether the tenant is known to keep one row per device. */
  oneRowPerDevice: boolean;
};

export function isReplaced({ owner, outcome, delivery, oneRowPerDevice }: ClaimedTwice): boolean {
  const ownedAt = owner.deliveredAt ?? Infinity;
  switch (outcome.kind) {
    case 'created':
      // If the owner only found the record, after this create was announced, it may have found this delivery's record.
      return owner.attempts.at(-1)?.outcome === 'created' || ownedAt < (delivery.intent?.at ?? delivery.acceptedAt);
    case 'found':
      // With one row per device the row matches this run, whichever create wrote it last. Otherwise it is the owner's.
      return oneRowPerDevice && ownedAt < (delivery.uncertainty?.since ?? delivery.acceptedAt);
  }
}

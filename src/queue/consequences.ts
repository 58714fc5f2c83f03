// What an outcome means for everyone: Graph's “not before”, a hold, or the end of one.
import type { Delivery, Outcome } from '../domain/delivery.ts';
import type { HoldReason } from '../domain/hold.ts';
import { unavailable } from '../domain/retry.ts';
import type { Events } from '../events.ts';
import type { Blame, Budget, RequestKind } from './budget.ts';
import type { Going } from './pacer.ts';

export type Consequences = (delivery: Delivery, outcome: Outcome, going: Going) => Promise<void>;

export function createConsequences(
  budget: Budget,
  events: Events,
  clock: () => number,
  random: () => number,
): Consequences {
  async function follow(delivery: Delivery, outcome: Outcome, going: Going): Promise<void> {
    switch (outcome.kind) {
      case 'throttled':
        events.throttled(await budget.throttle(kindOf(delivery), going.probe !== null, outcome.retryAfterMs, random()));
        return;
      case 'unauthenticated':
      case 'credential-refused':
      case 'forbidden':
        return hold(outcome.kind, outcome.detail, going);
      case 'not-sent':
        return suspect(delivery, unavailable(outcome.upstream), outcome.detail, 'way', going);
      case 'delayed':
        // It tells of Redis and of this process, of nobody else.
        return;
      case 'uncertain':
        if (outcome.stoodStill) return;
        // A look that fails has nothing of the delivery's in it.
        return suspect(
          delivery,
          'graph-unavailable',
          outcome.detail,
          delivery.mark?.sends === 'look' ? 'way' : 'own',
          going,
        );
      case 'absent':
      case 'found':
      case 'inconclusive':
        // Reading proves nothing about the permission to write.
        if (going.probe === 'forbidden') return;
        return mended(going);
      case 'created':
      case 'conflict':
      case 'rejected':
        return mended(going);
    }
  }

  async function hold(reason: HoldReason, detail: string, going: Going): Promise<void> {
    const { hold: held, isNew } = await budget.hold(reason, detail, going.probe === null ? 'in-flight' : 'probe');
    if (isNew) events.held(held);
    else if (going.probe !== null) events.probeFailed(held);
  }

  async function suspect(
    delivery: Delivery,
    reason: HoldReason,
    detail: string,
    blame: Blame,
    going: Going,
  ): Promise<void> {
    if (going.probe !== null) return hold(reason, detail, going);
    const caused = await budget.failed(delivery.id, reason, detail, blame);
    if (caused?.isNew) events.held(caused.hold);
  }

  async function mended(going: Going): Promise<void> {
    if (going.probe === null && !going.troubled) return;
    const ended = await budget.mended(going.probe);
    if (ended) events.released(ended, clock());
  }

  return follow;
}

const kindOf = ({ mark }: Delivery): RequestKind => (mark?.sends === 'look' ? 'read' : 'write');

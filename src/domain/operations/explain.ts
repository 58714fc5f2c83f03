// Explains a delivery in plain words: what happened, what it waits for, what comes next and when, what an operator can do.
import type { CompactedDelivery } from '../submission/compacted-delivery.ts';
import type { Delivery } from '../delivery.ts';
import { describeHistory, toInstantText, type HistorySource } from './history.ts';
import { holdOf, remedyOfHold, type Hold } from '../hold/hold.ts';
import { remedyOf } from './remedy.ts';
import { toPerSecond } from '../pace/per-window.ts';
import type { TenantSnapshot } from './tenant-snapshot.ts';
import { LOOKUPS_UNTIL_ABSENT } from '../attempt/retry-policy.ts';

const DONE = 'Nothing: it is done. Sent again by the device, it is known and not created twice.';

export type Explanation = { summary: string; happened: string[]; waitingFor: string | null; next: string };

/** The members of a delivery that an explanation is made from. */
type Explainable = HistorySource & Pick<Delivery, 'uncertainty' | 'dueAt'>;

type ExplainedHold = Pick<Hold, 'reason' | 'about' | 'hardwareConfigurationId' | 'since' | 'detail' | 'probeAt'>;

/** Explains a delivery to an endpoint engineer. */
export function explain(delivery: Explainable, snapshot: TenantSnapshot): Explanation {
  const happened = describeHistory(delivery);
  const operation = delivery.uncertainty ? 'look' : 'create';
  const hold = holdOf(snapshot.holds, operation, delivery.hardwareConfigurationId);
  if (hold && isOpen(delivery)) {
    const who = isOfOne(hold) ? 'the deliveries of this configuration are kept back' : 'nobody calls Graph';
    happened.push(`since ${toInstantText(hold.since)} ${who}: ${hold.reason}, ${hold.detail}`);
  }
  const situation = { ...snapshot, hold };
  return { summary: summarise(delivery, situation), happened, ...foresee(delivery, situation) };
}

/** The tenant's state, and the hold that stops this delivery. */
type Situation = Pick<TenantSnapshot, 'now' | 'throttle' | 'writesPer20s'> & { hold: ExplainedHold | null };

const isOfOne = ({ hardwareConfigurationId }: ExplainedHold) => hardwareConfigurationId !== null;
const isOpen = ({ status }: Explainable) => status === 'queued' || status === 'waiting' || status === 'delivering';

function summarise(delivery: Explainable, { hold, throttle }: Situation): string {
  const { status, lastFailure, attemptsMade, uncertainty, supersededBy } = delivery;
  const held =
    hold && (isOfOne(hold) ? ', but its hardware configuration is held' : ', but nobody may call Graph at present');
  const unless = held ?? (throttle ? ', but Graph throttles at present' : '');
  switch (status) {
    case 'queued':
      return attemptsMade === 0
        ? `Accepted and stored; it waits for its turn${unless}.`
        : `Back in the queue after it had given up; it waits for its turn${unless}.`;
    case 'delivering':
      return delivery.intent?.sends === 'look'
        ? 'Being looked for in Graph just now.'
        : 'Being sent to Graph just now.';
    case 'waiting':
      return uncertainty
        ? `Sent, and not yet known whether Graph has it; it will be looked for${unless}.`
        : `Stored, and not in Graph yet; it will be tried again${unless}.`;
    case 'delivered':
      return 'Delivered: Graph has it.';
    case 'dead':
      return `Given up (${lastFailure?.code ?? 'no reason kept'}): it is kept, and nothing happens until somebody replays or purges it.`;
    case 'superseded':
      return `Superseded: a newer result of the same device and configuration${supersededBy === null ? '' : ` (${supersededBy})`} stands for it.`;
  }
}

/** Explains a delivery of which only that is known. @param keptMs how long details are kept */
export function explainCompacted({ acceptedAt, deliveredAt }: CompactedDelivery, keptMs: number): Explanation {
  const hours = Number((keptMs / 3_600_000).toPrecision(4));
  return {
    summary: `Delivered at ${toInstantText(deliveredAt)}: Graph has it. Its details were kept for ${hours} h after that.`,
    happened: [`${toInstantText(acceptedAt)}  accepted`, `${toInstantText(deliveredAt)}  delivered`],
    waitingFor: null,
    next: DONE,
  };
}

type NextStep = Pick<Explanation, 'waitingFor' | 'next'>;

function foresee(delivery: Explainable, situation: Situation): NextStep {
  switch (delivery.status) {
    case 'delivered':
      return {
        waitingFor: null,
        next: DONE,
      };
    case 'superseded':
      return {
        waitingFor: null,
        next: 'Nothing: it was not created in Graph. Should every newer result die before it is created, this one comes back.',
      };
    case 'dead':
      return { waitingFor: 'an operator', next: remedyOf(delivery.lastFailure?.code ?? '') };
    case 'delivering':
      return {
        waitingFor: 'the outcome of the try that is under way',
        next: 'If its worker stopped, another one takes it over within a minute, and looks in Graph first where something may have been sent.',
      };
    case 'queued':
    case 'waiting':
      return foreseeTry(delivery, situation);
  }
}

function foreseeTry(delivery: Explainable, { now, hold, throttle, writesPer20s }: Situation): NextStep {
  const step = whatComes(delivery);
  if (hold) {
    return {
      waitingFor: `the end of the hold “${hold.reason}”, which concerns every delivery${isOfOne(hold) ? ' of its hardware configuration, and no other' : ''}`,
      next: `${remedyOfHold(hold)} ${probing(hold.probeAt, now)} When one gets through, ${step}. Waiting costs this delivery nothing.`,
    };
  }
  if (throttle) {
    return {
      waitingFor: `Graph’s throttling to pass, until ${instant(throttle.until, now)}`,
      next: `Then ${step}, when it is its turn. Nothing is to be done.`,
    };
  }
  const { status, dueAt } = delivery;
  if (status === 'waiting' && dueAt > now) {
    return {
      waitingFor: `the time set for its next try, ${instant(dueAt, now)}`,
      next: `Then ${step}. Nothing is to be done.`,
    };
  }
  return {
    waitingFor: `its turn: all workers together create ${Math.round(toPerSecond(writesPer20s) * 100) / 100} a second`,
    next: `When it is its turn, ${step}. Where nothing moves, see that a worker runs.`,
  };
}

function whatComes({ uncertainty }: Explainable): string {
  if (!uncertainty) return 'a worker creates it in Graph';
  const look = `${Math.min(uncertainty.lookups + 1, LOOKUPS_UNTIL_ABSENT)} of ${LOOKUPS_UNTIL_ABSENT}`;
  return `a worker looks in Graph (look ${look}): found, it is delivered; not there after the last look, it is ${uncertainty.conflict ? 'given up, since Graph says that it collides with another' : 'created again'}`;
}

function probing(probeAt: number, now: number): string {
  return `One delivery at a time probes whether it is fixed, the next one ${instant(probeAt, now)}.`;
}

/** An instant, and how far away it is. */
function instant(at: number, now: number): string {
  const seconds = Math.ceil((at - now) / 1000);
  if (seconds <= 0) return 'now';
  return `${toInstantText(at)} (in ${seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`})`;
}

// The JSON the dashboard is drawn from, and how a delivery appears in it.
import type { Delivery } from '../../domain/delivery.ts';
import type { FlowHistory } from '../../domain/operations/flow.ts';
import type { Outlook } from '../../domain/operations/outlook.ts';
import type { ReplayView } from '../response/replay-schemas.ts';

/** A delivery that ended, as a row of a table. */
export type EndedView = {
  deliveryId: string;
  deviceId: string;
  runId: string;
  status: Delivery['status'];
  endedAt: string | null;
  /** From acceptance to the end. */
  seconds: number | null;
  /** Dead letters only. */
  code: string | null;
};

/** Dead letters of one cause. */
export type CauseView = { code: string; count: number; remedy: string; latestAt: string | null };

/** One tenant in the list of all. */
export type TenantSummary = { id: string; kind: Outlook['kind']; headline: string; open: number; dead: number };

/** Everything the page shows; shared by all viewers for a second. */
export type Overview = {
  at: string;
  tenantId: string;
  outlook: Outlook;
  /** Failing checks that the outlook does not cover. */
  notices: string[];
  flow: { inPerSecond: number; outPerSecond: number };
  history: FlowHistory;
  counts: Record<Delivery['status'], number>;
  backlog: { open: number; oldestAgeSeconds: number; /** Null while everyone is held. */ drainSeconds: number | null };
  budget: { writesPerSecond: number; startWritesPerSecond: number; /** 0 to 1 */ used: number };
  holds: {
    reason: string;
    since: string;
    detail: string;
    remedy: string;
    hardwareConfigurationId?: string;
    deliveries?: number;
  }[];
  /** What this tenant's Graph was seen to support, in phrases. */
  graph: string[];
  /** The replay at a rate that is running or paused. */
  replay: ReplayView | null;
  deadLetters: { total: number; counted: number; causes: CauseView[] };
  latest: EndedView[];
  slowest: EndedView[];
};

const WORST_FIRST: readonly Outlook['kind'][] = [
  'held',
  'full',
  'still',
  'partly-held',
  'throttled',
  'flowing',
  'idle',
];

/** Those that need an operator most come first. */
export const worstFirst = (tenants: readonly TenantSummary[]): TenantSummary[] =>
  tenants.toSorted(
    (a, b) =>
      WORST_FIRST.indexOf(a.kind) - WORST_FIRST.indexOf(b.kind) ||
      b.dead - a.dead ||
      b.open - a.open ||
      (a.id < b.id ? -1 : 1),
  );

export function toEndedView(delivery: Delivery): EndedView {
  const { id, deviceId, runId, status, acceptedAt, deliveredAt, lastFailure } = delivery;
  const endedAt = deliveredAt ?? (status === 'dead' ? (lastFailure?.at ?? null) : null);
  return {
    deliveryId: id,
    deviceId,
    runId,
    status,
    endedAt: endedAt === null ? null : new Date(endedAt).toISOString(),
    seconds: endedAt === null ? null : Math.max(0, endedAt - acceptedAt) / 1000,
    code: status === 'dead' ? (lastFailure?.code ?? null) : null,
  };
}

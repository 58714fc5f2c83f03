// `explain`: one delivery in plain words – what happened, what it waits for, what comes next.
import { identify } from '../domain/delivery.ts';
import { explain, type Explanation, type Surroundings } from '../domain/explain.ts';
import type { DeliveryView, Status } from '../http/answers.ts';
import { toExplainable } from './delivery-view.ts';
import { EXIT } from './exit.ts';
import { operate, OperatorError, type OperatorFlags } from './operator.ts';
import { print } from './out.ts';

export type ExplainFlags = OperatorFlags & { device?: string; run?: string; json?: true };

/** Explains a delivery named by its id, or by its device and run. */
export async function explainDelivery(deliveryId: string | undefined, flags: ExplainFlags): Promise<void> {
  const { device, run, json } = flags;
  const byRun = device !== undefined && run !== undefined;
  if ((deliveryId === undefined) !== byRun || (!byRun && (device ?? run) !== undefined)) {
    throw new OperatorError('which one? give a delivery id, or --device and --run', EXIT.usage);
  }
  const status = await operate<Status>(flags, '/v1/status');
  const ids =
    deliveryId === undefined ? status.tenants.map(({ id }) => identify(id, device ?? '', run ?? '')) : [deliveryId];
  const view = await findFirst(flags, ids);
  const explanation = explain(toExplainable(view), toSurroundings(status, view, Date.now()));
  print(json ? JSON.stringify({ delivery: view, explanation }, null, 2) : toText(view, explanation));
}

async function findFirst(flags: ExplainFlags, ids: string[]): Promise<DeliveryView> {
  for (const [index, id] of ids.entries()) {
    try {
      return await operate<DeliveryView>(flags, `/v1/deliveries/${encodeURIComponent(id)}`);
    } catch (error) {
      const isLast = index === ids.length - 1;
      if (!(error instanceof OperatorError) || error.exitCode !== EXIT.refused) throw error;
      if (isLast)
        throw new OperatorError(`there is no delivery ${ids.join(' or ')}: never accepted, or forgotten`, EXIT.refused);
    }
  }
  throw new OperatorError('the bridge names no tenant', EXIT.refused);
}

/** What stops everyone, out of the status; a status of several tenants counts by the delivery's own id. */
function toSurroundings({ tenants }: Status, { deliveryId, deviceId, runId }: DeliveryView, now: number): Surroundings {
  const tenant = tenants.find(({ id }) => identify(id, deviceId, runId) === deliveryId);
  const holds = tenant?.holds ?? [];
  const throttled = holds.find(({ reason }) => reason === 'throttled');
  const [hold] = holds.flatMap(({ reason, since, detail }) =>
    reason === 'throttled' ? [] : [{ reason, since: Date.parse(since), detail, probeAt: null }],
  );
  return {
    now,
    hold: hold ?? null,
    throttle: throttled ? { since: Date.parse(throttled.since), until: lastInstant(throttled.detail) } : null,
    writesPer20s: (tenant?.budgetWritesPerSecond ?? 0) * 20,
  };
}

/** The detail of a throttle ends in the instant Graph named. */
function lastInstant(detail: string): number | null {
  const at = Date.parse(/\S+Z$/.exec(detail)?.[0] ?? '');
  return Number.isNaN(at) ? null : at;
}

function toText({ deliveryId }: DeliveryView, { summary, happened, waitingFor, next }: Explanation): string {
  return [
    `Delivery ${deliveryId}`,
    summary,
    '',
    'What happened',
    ...happened.map((line) => `  ${line}`),
    ...(waitingFor === null ? [] : ['', `Waiting for  ${waitingFor}.`]),
    '',
    `What is next  ${next}`,
  ].join('\n');
}

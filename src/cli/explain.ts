// `explain`: one delivery in plain words – what happened, what it waits for, what comes next. The bridge says it, as on its dashboard.
import { identify } from '../domain/delivery.ts';
import type { Explanation } from '../domain/explain.ts';
import type { DeliveryView, Status } from '../http/answers.ts';
import { EXIT } from './exit.ts';
import { operate, OperatorError, type OperatorFlags } from './operator.ts';
import { print } from './out.ts';

export type ExplainFlags = OperatorFlags & { device?: string; run?: string; json?: true };

type Explained = DeliveryView & { explanation: Explanation };

/** Explains a delivery named by its id, or by its device and run. */
export async function explainDelivery(deliveryId: string | undefined, flags: ExplainFlags): Promise<void> {
  const { device, run, json } = flags;
  const byRun = device !== undefined && run !== undefined;
  if ((deliveryId === undefined) !== byRun || (!byRun && (device ?? run) !== undefined)) {
    throw new OperatorError('which one? give a delivery id, or --device and --run', EXIT.usage);
  }
  const ids = deliveryId === undefined ? await identifyRun(flags, device ?? '', run ?? '') : [deliveryId];
  const { explanation, ...delivery } = await findFirst(flags, ids);
  print(json ? JSON.stringify({ delivery, explanation }, null, 2) : toText(delivery, explanation));
}

/** A run's delivery in each tenant. */
async function identifyRun(flags: ExplainFlags, device: string, run: string): Promise<string[]> {
  const { tenants } = await operate<Status>(flags, '/v1/status');
  return tenants.map(({ id }) => identify(id, device, run));
}

async function findFirst(flags: ExplainFlags, ids: readonly string[]): Promise<Explained> {
  for (const id of ids) {
    if (!(await exists(flags, id))) continue;
    const { found } = await operate<{ found: Explained[] }>(
      flags,
      `/dashboard/search.json?text=${encodeURIComponent(id)}`,
    );
    const explained = found.find(({ deliveryId }) => deliveryId === id);
    if (explained) return explained;
  }
  throw new OperatorError(`there is no delivery ${ids.join(' or ')}: never accepted, or forgotten`, EXIT.refused);
}

/** Asked first, since the dashboard's search would look through everything for an id that nobody knows. */
async function exists(flags: ExplainFlags, id: string): Promise<boolean> {
  try {
    await operate<DeliveryView>(flags, `/v1/deliveries/${encodeURIComponent(id)}`);
    return true;
  } catch (error) {
    if (error instanceof OperatorError && error.message.startsWith('refused: 404 ')) return false;
    throw error;
  }
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

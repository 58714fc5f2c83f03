// `explain`: explains one delivery in plain words, like the dashboard: what happened, what it waits for, what comes next.
import { identify } from '../../domain/delivery.ts';
import { deliverySchema, searchSchema, type SearchAnswer } from '../../http/response/response-schemas.ts';
import { shownStatusSchema } from './bridge-status.ts';
import { EXIT } from '../exit.ts';
import { operate, OperatorError, type OperatorFlags } from './operator.ts';
import { print, printJson } from '../out.ts';

export type ExplainFlags = OperatorFlags & { device?: string; run?: string; json?: true };

type Explained = SearchAnswer['found'][number];

/** Explains a delivery named by its id, or by its device and run. */
export async function explainDelivery(deliveryId: string | undefined, flags: ExplainFlags): Promise<void> {
  const { device, run, json } = flags;
  const byRun = device !== undefined && run !== undefined;
  if ((deliveryId === undefined) !== byRun || (!byRun && (device ?? run) !== undefined)) {
    throw new OperatorError('which one? give a delivery id, or --device and --run', EXIT.usage);
  }
  const ids = deliveryId === undefined ? await identifyRun(flags, device ?? '', run ?? '') : [deliveryId];
  const { explanation, ...delivery } = await findFirst(flags, ids);
  if (json) printJson({ delivery, explanation });
  else print(...toLines(delivery.deliveryId, explanation));
}

/** A run's delivery in each tenant. */
async function identifyRun(flags: ExplainFlags, device: string, run: string): Promise<string[]> {
  const { tenants } = await operate(flags, '/v1/status', { schema: shownStatusSchema });
  return tenants.map(({ id }) => identify(id, device, run));
}

async function findFirst(flags: ExplainFlags, ids: readonly string[]): Promise<Explained> {
  for (const id of ids) {
    const tenant = await findTenant(flags, id);
    if (tenant === null) continue;
    const { found } = await operate({ ...flags, tenant }, `/dashboard/search.json?text=${encodeURIComponent(id)}`, {
      schema: searchSchema,
    });
    const explained = found.find(({ deliveryId }) => deliveryId === id);
    if (explained) return explained;
  }
  throw new OperatorError(`there is no delivery ${ids.join(' or ')}: never accepted, or forgotten`, EXIT.refused);
}

/**
 * The tenant of a delivery; null if there is none. Asked first: the dashboard's search looks at one tenant, and would scan all
 * of it for an unknown id.
 */
async function findTenant(flags: ExplainFlags, id: string): Promise<string | null> {
  try {
    const path = `/v1/deliveries/${encodeURIComponent(id)}`;
    return (await operate(flags, path, { schema: deliverySchema })).tenant;
  } catch (error) {
    if (error instanceof OperatorError && error.httpStatus === 404) return null;
    throw error;
  }
}

function toLines(deliveryId: string, { summary, happened, waitingFor, next }: Explained['explanation']): string[] {
  return [
    `Delivery ${deliveryId}`,
    summary,
    '',
    'What happened',
    ...happened.map((line) => `  ${line}`),
    ...(waitingFor === null ? [] : ['', `Waiting for  ${waitingFor}.`]),
    '',
    `What is next  ${next}`,
  ];
}

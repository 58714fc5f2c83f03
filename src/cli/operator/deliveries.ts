// `deliveries`: lists deliveries by device, status, configuration and time; as a table, JSON, CSV or NDJSON.
import { pipeline } from 'node:stream/promises';
import { deliveryListSchema, type DeliveryView } from '../../http/response/response-schemas.ts';
import { toVisible } from '../../domain/operations/visible-text.ts';
import { EXIT } from '../exit.ts';
import { print, printJson } from '../out.ts';
import { toTable } from '../table.ts';
import { callForStream, operate, OperatorError, type OperatorFlags } from './operator.ts';

export type DeliveriesFlags = OperatorFlags & {
  device?: string;
  status?: string;
  configuration?: string;
  after?: string;
  before?: string;
  /** Without it 50, and all there are in an export. */
  limit?: number;
  format?: 'csv' | 'ndjson';
  json?: true;
};

const PAGE = 500;
const DEFAULT_LIMIT = 50;
/** A page without a match has examined thousands; no bridge has this many in a row. */
const MOST_EMPTY_PAGES = 1000;
const MEDIA_TYPES = { csv: 'text/csv', ndjson: 'application/x-ndjson' };

export async function listDeliveries(flags: DeliveriesFlags): Promise<void> {
  if (flags.device === undefined && flags.status === undefined) {
    throw new OperatorError('which ones? give --device, --status, or both', EXIT.usage);
  }
  if (flags.format !== undefined) return download(flags, MEDIA_TYPES[flags.format]);
  const listed = await list(flags);
  if (flags.json) {
    printJson(listed);
    return;
  }
  if (listed.length === 0) {
    print('No deliveries.');
    return;
  }
  const isOne = new Set(listed.map(({ tenant }) => tenant)).size === 1;
  const rows = listed.map(({ deliveryId, tenant, deviceId, runId, status, acceptedAt, lastFailure }) => [
    acceptedAt.slice(0, 19).replace('T', ' '),
    ...(isOne ? [] : [tenant]),
    deviceId,
    runId,
    status === 'dead' ? `dead: ${lastFailure?.code ?? ''}` : status,
    deliveryId,
  ]);
  print(...toTable(['accepted (UTC)', ...(isOne ? [] : ['tenant']), 'device', 'run', 'status', 'delivery'], rows));
}

async function* toVisibleLines(chunks: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const chunk of chunks) {
    yield chunk
      .split(/(\r?\n)/)
      .map((part, index) => (index % 2 === 0 ? toVisible(part) : part))
      .join('');
  }
}

/** As the bridge streams it. */
async function download(flags: DeliveriesFlags, mediaType: string): Promise<void> {
  if (flags.limit !== undefined && flags.limit > PAGE) {
    throw new OperatorError(`an export has all there are, or up to ${PAGE}`, EXIT.usage);
  }
  const body = await callForStream(flags, `/v1/deliveries?${toQuery(flags, flags.limit).toString()}`, mediaType);
  try {
    await pipeline(body.setEncoding('utf8'), toVisibleLines, process.stdout, { end: false });
  } catch {
    throw new OperatorError('the bridge ended the export early: lines are missing', EXIT.later);
  }
}

async function list(flags: DeliveriesFlags): Promise<DeliveryView[]> {
  const listed: DeliveryView[] = [];
  const limit = flags.limit ?? DEFAULT_LIMIT;
  let cursor: string | null = null;
  let emptyPages = 0;
  do {
    const query = toQuery(flags, Math.min(PAGE, limit - listed.length));
    if (cursor !== null) query.set('cursor', cursor);
    const { deliveries, nextCursor } = await operate(flags, `/v1/deliveries?${query.toString()}`, {
      schema: deliveryListSchema,
    });
    listed.push(...deliveries);
    emptyPages = deliveries.length === 0 ? emptyPages + 1 : 0;
    if (nextCursor !== null && (nextCursor === cursor || emptyPages > MOST_EMPTY_PAGES)) {
      const hint = 'does this address lead to the bridge?';
      throw new OperatorError(`${flags.url} lists without an end: ${hint}`, EXIT.unavailable);
    }
    cursor = nextCursor;
  } while (cursor !== null && listed.length < limit);
  return listed;
}

function toQuery(flags: DeliveriesFlags, limit: number | undefined): URLSearchParams {
  const { device, status, configuration, after, before } = flags;
  const members = {
    deviceId: device,
    status,
    hardwareConfigurationId: configuration,
    acceptedAfter: after,
    acceptedBefore: before,
    limit: limit === undefined ? undefined : String(limit),
  };
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(members)) if (value !== undefined) query.set(name, value);
  return query;
}

// `deliveries`: lists deliveries by device, status, configuration and time; as a table, JSON, CSV or NDJSON.
import { deliveryListSchema } from '../../http/response/response-schemas.ts';
import { EXIT } from '../exit.ts';
import { print, printJson } from '../out.ts';
import { toTable } from '../table.ts';
import { download, readList, type ListFlags } from './listing.ts';
import { OperatorError } from './operator.ts';

export type DeliveriesFlags = ListFlags & {
  device?: string;
  status?: string;
  configuration?: string;
  after?: string;
  before?: string;
};

export async function listDeliveries(flags: DeliveriesFlags): Promise<void> {
  const { device, status, configuration, after, before } = flags;
  if (device === undefined && status === undefined) {
    throw new OperatorError('which ones? give --device, --status, or both', EXIT.usage);
  }
  const query = {
    deviceId: device,
    status,
    hardwareConfigurationId: configuration,
    acceptedAfter: after,
    acceptedBefore: before,
  };
  const route = { path: '/v1/deliveries', query };
  if (flags.format !== undefined) return download(flags, route, flags.format);
  const listed = await readList(flags, route, {
    schema: deliveryListSchema,
    entries: ({ deliveries }) => deliveries,
    nextCursor: ({ nextCursor }) => nextCursor,
  });
  if (flags.json) {
    printJson(listed);
    return;
  }
  if (listed.length === 0) {
    print('No deliveries.');
    return;
  }
  const isOne = new Set(listed.map(({ tenant }) => tenant)).size === 1;
  const rows = listed.map(({ deliveryId, tenant, deviceId, runId, status: its, acceptedAt, lastFailure }) => [
    acceptedAt.slice(0, 19).replace('T', ' '),
    ...(isOne ? [] : [tenant]),
    deviceId,
    runId,
    its === 'dead' ? `dead: ${lastFailure?.code ?? ''}` : its,
    deliveryId,
  ]);
  print(...toTable(['accepted (UTC)', ...(isOne ? [] : ['tenant']), 'device', 'run', 'status', 'delivery'], rows));
}

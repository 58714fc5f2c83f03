// `dead-letters` and `replay`: lists, replays or purges dead letters; counts before it changes anything.
import {
  deadLettersSchema,
  purgedSchema,
  replayedSchema,
  type DeliveryView,
} from '../../../http/response/response-schemas.ts';
import { confirm } from '../confirm.ts';
import { EXIT } from '../../exit.ts';
import { operate, OperatorError, type OperatorFlags } from '../operator.ts';
import { print, printJson } from '../../out.ts';
import { startReplay, toDuration } from './replays.ts';
import { toTable } from '../../table.ts';

export type FilterFlags = OperatorFlags & { code?: string; configuration?: string; device?: string };
export type DeadLettersFlags = FilterFlags & { limit: number; json?: true; purge?: true; all?: true; yes?: true };
export type ReplayFlags = FilterFlags & { all?: true; rate?: number; dryRun?: true; yes?: true };

const PAGE = 500;
/** A page without matches has examined ten thousand; no bridge has this many in a row. */
const MOST_EMPTY_PAGES = 1000;

export async function deadLetters(flags: DeadLettersFlags): Promise<void> {
  if (flags.purge) return purge(flags);
  const listed = await list(flags);
  if (flags.json) {
    printJson(listed);
    return;
  }
  if (listed.length === 0) {
    print('No dead letters.');
    return;
  }
  const rows = listed.map(({ deliveryId, deviceId, lastFailure }) => [
    deliveryId,
    deviceId,
    lastFailure?.code ?? '',
    lastFailure?.graphRequestId ?? '',
    lastFailure?.detail ?? '',
  ]);
  print(...toTable(['delivery', 'device', 'code', 'Graph’s request id', 'why'], rows, [25, 22, 20, 38, 40]));
}

/** Replays one by its id, or all that match the filter. */
export async function replay(deliveryId: string | undefined, flags: ReplayFlags): Promise<void> {
  const filter = toFilter(flags);
  if (deliveryId !== undefined && (Object.keys(filter).length > 0 || flags.all)) {
    throw new OperatorError('give a delivery id or a filter, not both', EXIT.usage);
  }
  if (deliveryId === undefined && Object.keys(filter).length === 0 && !flags.all) {
    throw new OperatorError('which ones? give a delivery id, a filter, or --all', EXIT.usage);
  }
  if (deliveryId !== undefined && flags.rate !== undefined) {
    throw new OperatorError('a rate is for a filter or --all: one delivery is replayed at once', EXIT.usage);
  }
  const selection = deliveryId === undefined ? { filter } : { deliveryId };
  const call = (body: object) => operate(flags, '/v1/dead-letters/replay', { schema: replayedSchema, body });
  const { matched } = await call({ ...selection, dryRun: true });
  print(`${matched} dead ${matched === 1 ? 'letter matches' : 'letters match'}.`);
  if (flags.dryRun || matched === 0) return;
  if (flags.rate !== undefined) {
    const takes = toDuration(matched / flags.rate);
    await confirm(`Replay ${matched} at ${flags.rate} a second, which takes about ${takes}?`, flags.yes);
    await startReplay(flags, { filter, perSecond: flags.rate });
    return;
  }
  if (matched > 1) await confirm(`Replay ${matched} deliveries?`, flags.yes);
  const { replayed } = await call(selection);
  print(`${replayed} replayed.`);
}

async function purge(flags: DeadLettersFlags): Promise<void> {
  const filter = toFilter(flags);
  if (Object.keys(filter).length === 0 && !flags.all) {
    throw new OperatorError('which ones? give a filter, or --all', EXIT.usage);
  }
  const selection = { filter };
  const call = (body: object) => operate(flags, '/v1/dead-letters/purge', { schema: purgedSchema, body });
  const { matched } = await call({ ...selection, dryRun: true });
  print(`${matched} dead ${matched === 1 ? 'letter matches' : 'letters match'}.`);
  if (matched === 0) return;
  await confirm(`Forget ${matched} for good? Nobody can replay them then.`, flags.yes);
  const { purged } = await call(selection);
  print(`${purged} purged.`);
}

async function list(flags: DeadLettersFlags): Promise<DeliveryView[]> {
  const listed: DeliveryView[] = [];
  let cursor: string | null = null;
  let emptyPages = 0;
  do {
    const query = new URLSearchParams({
      ...toFilter(flags),
      limit: String(Math.min(PAGE, flags.limit - listed.length)),
    });
    if (cursor !== null) query.set('cursor', cursor);
    const { deadLetters: page, nextCursor } = await operate(flags, `/v1/dead-letters?${query.toString()}`, {
      schema: deadLettersSchema,
    });
    listed.push(...page);
    emptyPages = page.length === 0 ? emptyPages + 1 : 0;
    if (nextCursor !== null && (nextCursor === cursor || emptyPages > MOST_EMPTY_PAGES)) {
      throw new OperatorError(
        `${flags.url} lists without an end: does this address lead to the bridge?`,
        EXIT.unavailable,
      );
    }
    cursor = nextCursor;
  } while (cursor !== null && listed.length < flags.limit);
  return listed.slice(0, flags.limit);
}

function toFilter({ code, configuration, device }: FilterFlags): Record<string, string> {
  return {
    ...(code !== undefined && { code }),
    ...(configuration !== undefined && { hardwareConfigurationId: configuration }),
    ...(device !== undefined && { deviceId: device }),
  };
}

// `dead-letters` and `replay`: what gave up and why, back into the queue or forgotten, counted before anything happens.
import Table from 'cli-table3';
import { confirm } from './confirm.ts';
import { EXIT } from './exit.ts';
import { operate, OperatorError, type OperatorFlags } from './operator.ts';
import { print } from './out.ts';

export type FilterFlags = OperatorFlags & { code?: string; configuration?: string; device?: string };
export type DeadLettersFlags = FilterFlags & { limit: number; json?: true; purge?: true; all?: true; yes?: true };
export type ReplayFlags = FilterFlags & { all?: true; dryRun?: true; yes?: true };

type DeadLetter = {
  deliveryId: string;
  deviceId: string;
  hardwareConfigurationId: string;
  acceptedAt: string;
  attempts: unknown[];
  lastFailure: { code: string; detail: string; graphRequestId: string | null } | null;
};
type Page = { deadLetters: DeadLetter[]; nextCursor: string | null };
type Counted = { matched: number; replayed?: number; purged?: number };

const PAGE = 500;

export async function deadLetters(flags: DeadLettersFlags): Promise<void> {
  if (flags.purge) return purge(flags);
  const listed = await list(flags);
  if (flags.json) {
    print(JSON.stringify(listed, null, 2));
    return;
  }
  if (listed.length === 0) {
    print('No dead letters.');
    return;
  }
  const table = new Table({
    head: ['delivery', 'device', 'code', 'Graph’s request id', 'why'],
    style: { head: [], border: [] },
    wordWrap: true,
    colWidths: [25, 22, 20, 38, 40],
  });
  for (const { deliveryId, deviceId, lastFailure } of listed) {
    table.push([
      deliveryId,
      deviceId,
      lastFailure?.code ?? '',
      lastFailure?.graphRequestId ?? '',
      lastFailure?.detail ?? '',
    ]);
  }
  print(table.toString());
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
  const selection = deliveryId === undefined ? { filter } : { deliveryId };
  const { matched } = await operate<Counted>(flags, '/v1/dead-letters/replay', { ...selection, dryRun: true });
  print(`${matched} dead ${matched === 1 ? 'letter matches' : 'letters match'}.`);
  if (flags.dryRun || matched === 0) return;
  if (matched > 1) await confirm(`Replay ${matched} deliveries?`, flags.yes);
  const { replayed = 0 } = await operate<Counted>(flags, '/v1/dead-letters/replay', selection);
  print(`${replayed} replayed.`);
}

async function purge(flags: DeadLettersFlags): Promise<void> {
  const filter = toFilter(flags);
  if (Object.keys(filter).length === 0 && !flags.all) {
    throw new OperatorError('which ones? give a filter, or --all', EXIT.usage);
  }
  const selection = { filter };
  const { matched } = await operate<Counted>(flags, '/v1/dead-letters/purge', { ...selection, dryRun: true });
  print(`${matched} dead ${matched === 1 ? 'letter matches' : 'letters match'}.`);
  if (matched === 0) return;
  await confirm(`Forget ${matched} for good? Nobody can replay them then.`, flags.yes);
  const { purged = 0 } = await operate<Counted>(flags, '/v1/dead-letters/purge', selection);
  print(`${purged} purged.`);
}

async function list(flags: DeadLettersFlags): Promise<DeadLetter[]> {
  const listed: DeadLetter[] = [];
  let cursor: string | null = null;
  do {
    const query = new URLSearchParams({
      ...toFilter(flags),
      limit: String(Math.min(PAGE, flags.limit - listed.length)),
    });
    if (cursor !== null) query.set('cursor', cursor);
    const page: Page = await operate<Page>(flags, `/v1/dead-letters?${query.toString()}`);
    listed.push(...page.deadLetters);
    cursor = page.nextCursor;
  } while (cursor !== null && listed.length < flags.limit);
  return listed;
}

function toFilter({ code, configuration, device }: FilterFlags): Record<string, string> {
  return {
    ...(code !== undefined && { code }),
    ...(configuration !== undefined && { hardwareConfigurationId: configuration }),
    ...(device !== undefined && { deviceId: device }),
  };
}

// Ends a move early, or cleans up after it: the target's copy or the source's old data is removed.
import { holdLock } from './lock.ts';
import { MoveRefused, openEnds, TOLD, type MoveRedis } from './open-ends.ts';
import { purgeTenant } from './purge-tenant.ts';

type EndParts = { source: MoveRedis; tenantId: string };

/** `removed`: how many keys the target had; null if it was not asked, or is of another move. */
export type Cancelled = { kind: 'none' } | { kind: 'cancelled'; removed: number | null };

/**
 * The source goes on as if nothing had happened. The target stays closed: processes that point there must not serve an empty
 * tenant, and the next move may fill it.
 * @param target null if it cannot be reached any more
 * @throws MoveRefused if the target may have been opened
 */
export async function cancelMove({
  source,
  target,
  tenantId,
}: EndParts & { target: MoveRedis | null }): Promise<Cancelled> {
  const ends = openEnds({ source, target: target ?? source }, tenantId);
  const { from, to, keys } = ends;
  const lock = await holdLock(from);
  try {
    const move = await from.read();
    const there = target && (await to.read());
    if (!move) return { kind: 'none' };
    // A failover of the source may have forgotten that it came so far.
    const isOpened = there?.id === move.id && there.role === 'to' && there.state === 'opened';
    if (isOpened || move.state === 'opening' || move.state === 'done' || move.state === 'finished')
      throw new MoveRefused(`the data has moved to ${move.peer}: to go back, move it from there`);
    if (
      move.state !== 'cancelling' &&
      !(await from.change({ id: move.id, from: move.state, to: 'cancelling', tenant: 'open' }))
    )
      throw new MoveRefused('the move was changed meanwhile: run it again');
    const isOurs = there?.id === move.id && there.role === 'to';
    const removed = target && isOurs ? await clear(target, move.id) : null;
    await from.change({ id: move.id, from: 'cancelling', to: null, tenant: 'keep' });
    return { kind: 'cancelled', removed };
  } finally {
    await lock.release();
  }

  /** @returns how many keys were removed */
  async function clear(filled: MoveRedis, id: string): Promise<number> {
    const told = TOLD.cancelled(source.name);
    if ((await to.claim(id, { peer: source.name, told })) === 'opened')
      throw new MoveRefused(`${filled.name} has been opened meanwhile: the data has moved there`);
    const removed = await purgeTenant(filled, tenantId, [keys.move, keys.counts]);
    await clearCounts(filled, keys.counts);
    await to.cancel(id, told);
    return removed;
  }
}

async function clearCounts({ connection }: MoveRedis, counts: string): Promise<void> {
  const copied = Object.keys(await connection.hgetall(counts)).filter(
    (field) => field !== 'format' && field !== 'moved',
  );
  if (copied.length > 0) await connection.hdel(counts, ...copied);
}

/**
 * Removes the data that a move left behind. That it has moved is still known, so that processes which point there serve nobody.
 * @returns how many keys were removed
 * @throws MoveRefused if there is no move that is done
 */
export async function finishMove({ source, tenantId }: EndParts): Promise<number> {
  const { from, keys } = openEnds({ source, target: source }, tenantId);
  const lock = await holdLock(from);
  try {
    const move = await from.read();
    if (move?.state === 'finished') return 0;
    if (move?.state !== 'done') throw new MoveRefused(`no move of tenant ${tenantId} from ${source.name} is done`);
    const removed = await purgeTenant(source, tenantId, [keys.move, keys.moveLock, keys.counts]);
    await clearCounts(source, keys.counts);
    if (!(await from.change({ id: move.id, from: 'done', to: 'finished', tenant: 'stay-closed' })))
      throw new MoveRefused('the move was changed meanwhile: run it again');
    return removed;
  } finally {
    await lock.release();
  }
}

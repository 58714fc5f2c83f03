// Ends a move early, or cleans up after it: the target's copy or the source's old data is removed.
import { holdLock } from './lock.ts';
import { MoveRefused, openEnds, TOLD, type Ends, type MoveRedis } from './open-ends.ts';
import { purgeTenant } from './purge-tenant.ts';

type EndParts = { source: MoveRedis; tenantId: string };

/**
 * `none`: no move is under way · `cancelled`: the source goes on · `cleared`: what an earlier move had left at the target is removed,
 * and nothing else was changed. `removed`: how many keys the target had. `copy`: what became of them; `left` where no target was named.
 */
export type Cancelled =
  | { kind: 'none' }
  | { kind: 'cancelled'; removed: number; copy: 'removed' | 'none' | 'left' }
  | { kind: 'cleared'; removed: number };

/**
 * The source goes on as if nothing had happened. The target stays closed: processes that point there must not serve an empty
 * tenant, and the next move may fill it.
 * @param target null if it cannot be reached any more; its copy can be removed later, by cancelling again
 * @throws MoveRefused if the target may have been opened, or is not that of the move
 */
export async function cancelMove(parts: EndParts & { target: MoveRedis | null }): Promise<Cancelled> {
  const { source, target, tenantId } = parts;
  const ends = openEnds({ source, target: target ?? source }, tenantId);
  const { from, to } = ends;
  const lock = await holdLock(from);
  try {
    const move = await from.read();
    const there = target && (await to.read());
    if (target && there && there.id !== move?.id && (await from.hasLeft(there.id))) {
      const removed = await clear({ source, target, tenantId }, ends, there.id);
      await from.forgetLeft(there.id);
      return { kind: 'cleared', removed };
    }
    if (!move) return { kind: 'none' };
    const isOurs = there?.id === move.id && there.role === 'to';
    // A failover of the source may have forgotten that it came so far.
    if ((isOurs && there.state === 'opened') || ['opening', 'done', 'finished'].includes(move.state))
      throw new MoveRefused(`the data has moved to ${move.peer}: to go back, move it from there`);
    if (target && !isOurs && target.name !== move.peer)
      throw new MoveRefused(`the move is to ${move.peer}, and ${target.name} knows nothing of it: name that one`);
    if (
      move.state !== 'cancelling' &&
      !(await from.change({ id: move.id, from: move.state, to: 'cancelling', tenant: 'open' }))
    )
      throw new MoveRefused('the move was changed meanwhile: run it again');
    const removed = target && isOurs ? await clear({ source, target, tenantId }, ends, move.id) : 0;
    if (target) await from.forgetLeft(move.id);
    else await from.leave(move);
    await from.change({ id: move.id, from: 'cancelling', to: null, tenant: 'keep' });
    return { kind: 'cancelled', removed, copy: !target ? 'left' : isOurs ? 'removed' : 'none' };
  } finally {
    await lock.release();
  }
}

/** Removes what was copied. @returns how many keys that were */
async function clear(
  { source, target, tenantId }: EndParts & { target: MoveRedis },
  { to, keys }: Ends,
  id: string,
): Promise<number> {
  const told = TOLD.cancelled(source.name);
  const claimed = await to.claim(id, { peer: source.name, told, isOwn: true });
  if (claimed === 'opened') throw new MoveRefused(`${target.name} has been opened meanwhile: the data has moved there`);
  if (claimed === 'taken') throw new MoveRefused(`${target.name} was changed meanwhile: run it again`);
  const removed = await purgeTenant(target, tenantId, [keys.move, keys.moveLeft, keys.counts]);
  await clearCounts(target, keys.counts);
  await to.cancel(id, told);
  return removed;
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
    const removed = await purgeTenant(source, tenantId, [keys.move, keys.moveLock, keys.moveLeft, keys.counts]);
    await clearCounts(source, keys.counts);
    if (!(await from.change({ id: move.id, from: 'done', to: 'finished', tenant: 'stay-closed' })))
      throw new MoveRefused('the move was changed meanwhile: run it again');
    return removed;
  } finally {
    await lock.release();
  }
}

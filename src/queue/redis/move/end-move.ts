// Ends a move early, or cleans up after it: the target's copy or the source's old data is removed.
import type { TargetMove } from './ends.ts';
import { holdLock } from './lock.ts';
import { MoveRefused, openEnds, TOLD, type Ends, type MoveRedis } from './open-ends.ts';
import { purgeTenant } from './purge-tenant.ts';
import { createWriter } from './writer.ts';

type EndParts = { source: MoveRedis; tenantId: string };

/**
 * `none`: no move is under way · `cancelled`: the source goes on · `cleared`: what a move that was cancelled before had left at the
 * target is removed, and nothing else was changed. `removed`: how many keys the target had. `copy`: what became of them; `left` if
 * no target was named, `nothing` if there was none.
 */
export type Cancelled =
  | { kind: 'none' }
  | { kind: 'cancelled'; removed: number; copy: 'removed' | 'nothing' | 'left' }
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
    if (target && there && there.id !== move?.id && (await from.past.isKnown(there.id, 'left'))) {
      const removed = await clear({ source, target, tenantId }, ends, there);
      await from.past.remove(there.id);
      return { kind: 'cleared', removed: removed ?? 0 };
    }
    if (!move) return { kind: 'none' };
    const isOurs = there?.id === move.id && there.role === 'to';
    // A source that was set back may have forgotten that it came so far.
    const isOpened = (isOurs && there.state === 'opened') || (target && (await to.past.isKnown(move.id, 'arrived')));
    if (isOpened || ['opening', 'done', 'finished'].includes(move.state))
      throw new MoveRefused(`the data has moved to ${move.peer}: to go back, move it from there`);
    if (target && !isOurs && target.name !== move.peer)
      throw new MoveRefused(`the move is to ${move.peer}, and ${target.name} knows nothing of it: name that one`);
    if (
      move.state !== 'cancelling' &&
      !(await from.change({ id: move.id, from: move.state, to: 'cancelling', tenant: 'open' }))
    )
      throw new MoveRefused('the move was changed meanwhile: run it again');
    const removed = target && isOurs ? await clear({ source, target, tenantId }, ends, there) : null;
    // What is called by the target's name may be another server than was filled.
    if (isOurs) await from.past.remove(move.id);
    else await from.past.addLeft(move.id);
    await from.change({ id: move.id, from: 'cancelling', to: null, tenant: 'keep' });
    const copy = !target ? 'left' : removed === null ? 'nothing' : 'removed';
    return { kind: 'cancelled', removed: removed ?? 0, copy };
  } finally {
    await lock.release();
  }
}

/** Removes what was copied. @returns how many keys that were; null if nothing was copied yet, and the target may have data of its own */
async function clear(
  { source, target, tenantId }: EndParts & { target: MoveRedis },
  { to, keys, run }: Ends,
  seen: TargetMove,
): Promise<number | null> {
  const { id } = seen;
  const told = TOLD.cancelled(source.name);
  const claimed = await to.claim(id, { peer: source.name, told, seen });
  if (claimed === 'opened') throw new MoveRefused(`${target.name} has been opened meanwhile: the data has moved there`);
  if (claimed === 'claimed') {
    await to.forget(id);
    return null;
  }
  const removed = await removeData(target, tenantId, { keys, run });
  await to.cancel(id, told);
  return removed;
}

/**
 * Removes the data that a move left behind. That it has moved is still known, so that processes which point there serve nobody.
 * @returns how many keys were removed
 * @throws MoveRefused if there is no move that is done
 */
export async function finishMove({ source, tenantId }: EndParts): Promise<number> {
  const { from, keys, run } = openEnds({ source, target: source }, tenantId);
  const lock = await holdLock(from);
  try {
    const move = await from.read();
    if (move?.state === 'finished') return 0;
    if (move?.state === 'opening')
      throw new MoveRefused(`the move to ${move.peer} has not come to its end: run it again first`);
    if (move?.state !== 'done') throw new MoveRefused(`no move of tenant ${tenantId} from ${source.name} is done`);
    const change = async (to: 'done' | 'finished', fields: Record<string, string>) => {
      if (!(await from.change({ id: move.id, from: 'done', to, tenant: 'stay-closed', fields })))
        throw new MoveRefused('the move was changed meanwhile: run it again');
    };
    await change('done', { run });
    const removed = await removeData(source, tenantId, { keys, run });
    await change('finished', { run: '' });
    return removed;
  } finally {
    await lock.release();
  }
}

/** All but what is known of moves, and that the tenant is closed; for as long as no other run works on the move there. @throws AnotherRun */
async function removeData(
  redis: MoveRedis,
  tenantId: string,
  { keys, run }: Pick<Ends, 'keys' | 'run'>,
): Promise<number> {
  const writer = createWriter(redis.connection, keys.move, run);
  const kept = [keys.move, keys.moveLock, keys.pastMoves, keys.counts];
  const remove = (going: readonly string[]) => writer.apply(going.map((key) => ({ key, command: ['del'] })));
  const removed = await purgeTenant(redis, tenantId, { kept, remove });
  const copied = Object.keys(await redis.connection.hgetall(keys.counts)).filter((field) => !isClosing(field));
  if (copied.length > 0) await writer.apply([{ key: keys.counts, command: ['hdel', ...copied] }]);
  return removed;
}

const isClosing = (field: string) => field === 'format' || field === 'moved';

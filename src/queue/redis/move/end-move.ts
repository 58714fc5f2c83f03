// Ends a move early, or cleans up after it: the target's copy or the source's old data is removed.
import { isPastOpening, type SourceState, type TargetEnd, type TargetMove } from './ends.ts';
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
      const undo = await fence({ source, target, tenantId }, ends, there);
      const removed = await undo();
      await from.past.remove(there.id);
      return { kind: 'cleared', removed: removed ?? 0 };
    }
    if (!move) return { kind: 'none' };
    const isOurs = there?.id === move.id && there.role === 'to';
    // A source that was set back may have forgotten that it came so far.
    const isOpened = (isOurs && there.state === 'opened') || (target && (await to.past.isKnown(move.id, 'arrived')));
    if (isOpened || isPastOpening(move.state))
      throw new MoveRefused(`the data has moved to ${move.peer}: to go back, move it from there`);
    if (target && !isOurs && target.name !== move.peer)
      throw new MoveRefused(
        `the move is to ${move.peer}, and ${target.name} knows nothing of it: name ${move.peer} with --to`,
      );
    if (move.state === 'opening' && !isOurs)
      throw new MoveRefused(
        target
          ? `${target.name} knows nothing of the move, though it was to be opened: it may have been in use`
          : `${move.peer} may be in use already: the move can be cancelled only where that answers, named with --to`,
      );
    const undo = target && isOurs ? await fence({ source, target, tenantId }, ends, there) : null;
    if (
      move.state !== 'cancelling' &&
      !(await from.change({ id: move.id, from: move.state, to: 'cancelling', tenant: 'open' }))
    )
      throw new MoveRefused('the move was changed meanwhile: run it again');
    const removed = undo && (await undo());
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
type Undo = () => Promise<number | null>;

/** No other run writes to the target from then on, or opens it. @throws MoveRefused if it was opened; AnotherRun */
async function fence(
  { source, target, tenantId }: EndParts & { target: MoveRedis },
  { to, keys, run }: Ends,
  seen: TargetMove,
): Promise<Undo> {
  const { id } = seen;
  const told = TOLD.cancelled(source.name);
  const claimed = await to.claim(id, { peer: source.name, told, seen });
  if (claimed === 'opened') throw new MoveRefused(`${target.name} has been opened meanwhile: the data has moved there`);
  return async () => {
    if (claimed === 'untouched') {
      await to.forget(id, told);
      return null;
    }
    const removed = await removeData(target, tenantId, { keys, run });
    await to.cancel(id, told);
    return removed;
  };
}

/**
 * Removes the data that a move left behind. That it has moved is still known, so that processes which point there serve nobody.
 * @param target null if it is not asked whether it has the data
 * @returns how many keys were removed
 * @throws MoveRefused if there is no move that is done
 */
export async function finishMove({
  source,
  target,
  tenantId,
}: EndParts & { target: MoveRedis | null }): Promise<number> {
  const { from, to: arrived, keys, run } = openEnds({ source, target: target ?? source }, tenantId);
  const lock = await holdLock(from);
  try {
    const move = await from.read();
    if (move?.state === 'finished') return 0;
    if (move?.state === 'opening')
      throw new MoveRefused(`the move to ${move.peer} has not ended yet: run \`move\` again first`);
    if (move?.state !== 'done' && move?.state !== 'removing')
      throw new MoveRefused(`no move of tenant ${tenantId} from ${source.name} is done`);
    if (target && !(await isAt(arrived, move.id)))
      throw new MoveRefused(
        `the data was moved to ${move.peer}, and ${target.name} does not know of it: run \`move\` again first`,
      );
    const change = async (state: SourceState, to: SourceState, fields: Record<string, string>) => {
      if (!(await from.change({ id: move.id, from: state, to, tenant: 'stay-closed', fields })))
        throw new MoveRefused('the move was changed meanwhile: run it again');
    };
    await change(move.state, 'removing', { run });
    const removed = await removeData(source, tenantId, { keys, run });
    await change('removing', 'finished', { run: '' });
    return removed;
  } finally {
    await lock.release();
  }
}

/** Whether the data has arrived there. */
async function isAt(to: TargetEnd, id: string): Promise<boolean> {
  const there = await to.read();
  return (there?.id === id && there.state === 'opened') || to.past.isKnown(id, 'arrived');
}

/** All but what is known of moves, and that the tenant is closed; for as long as no other run works on the move there. @throws AnotherRun */
async function removeData(
  redis: MoveRedis,
  tenantId: string,
  { keys, run }: Pick<Ends, 'keys' | 'run'>,
): Promise<number> {
  const writer = createWriter(redis.connection, keys.move, run);
  const kept = [keys.move, keys.moveLock, keys.pastMoves, keys.counts];
  const remove = async (going: readonly string[]) => {
    await writer.apply(going.map((key) => ({ key, command: ['del'] })));
    return going.length;
  };
  const removed = await purgeTenant(redis, tenantId, { kept, remove });
  const copied = Object.keys(await redis.connection.hgetall(keys.counts)).filter((field) => !isClosing(field));
  if (copied.length > 0) await writer.apply([{ key: keys.counts, command: ['hdel', ...copied] }]);
  return removed;
}

const isClosing = (field: string) => field === 'format' || field === 'moved';

// The beginning of a move: what must hold at both ends, and both know of it.
import { randomUUID } from 'node:crypto';
import { READS_FORMAT } from '../../lua/constants.ts';
import { isInUse } from './moved-names.ts';
import type { Claimed, SourceMove } from './ends.ts';
import { confirmReplicas } from './confirm-replicas.ts';
import { MoveRefused, TOLD, type Ends, type MoveRedis } from './open-ends.ts';
import { scanTenant } from './scan-keys.ts';
import { AnotherRun } from './writer.ts';

export type ClaimParts = { source: MoveRedis; target: MoveRedis; tenantId: string; ends: Ends };

/** `isOpened`: an earlier run opened the target, so that it is in use. */
export type ClaimedTarget = { move: SourceMove; isOpened: boolean };

/** Continues the move of the source, or begins one. @throws MoveRefused if the two do not fit */
export async function claimTarget(parts: ClaimParts, known: SourceMove | null): Promise<ClaimedTarget> {
  const { target, ends } = parts;
  const move = known ?? (await begin(parts));
  const isNew = move.state === 'begun';
  if (isNew && move.peer !== target.name)
    throw new MoveRefused(`a move to ${move.peer} was begun: name that one, or cancel the move first`);
  let claimed: Claimed;
  try {
    claimed = await claim(parts, move);
  } catch (error) {
    if (error instanceof MoveRefused && isNew)
      await ends.from.change({ id: move.id, from: 'begun', to: null, tenant: 'keep' });
    throw error;
  }
  const isOpened = claimed === 'opened';
  try {
    if (isNew && !isOpened) await ends.from.change({ id: move.id, from: 'begun', to: 'copying', tenant: 'keep' });
    const present = await ends.from.read();
    if (present?.id !== move.id || present.state === 'cancelling') throw new AnotherRun();
    return { move: present, isOpened };
  } catch (error) {
    // Cancelled while this run stood still.
    if (claimed === 'untouched' && (await ends.from.read())?.id !== move.id)
      await ends.to.forget(move.id, TOLD.cancelled(parts.source.name));
    throw error;
  }
}

async function claim(parts: ClaimParts, move: SourceMove): Promise<Claimed> {
  const { source, target, tenantId, ends } = parts;
  const isNew = move.state === 'begun';
  // A source that forgot this move would take what it copied for other data.
  if (isNew) await confirmReplicas(source.connection, ends.keys.root);
  const there = await ends.to.read();
  if (there?.id === move.id && there.role === 'from') throw new MoveRefused('both addresses lead to the same Redis');
  if (await ends.to.past.isKnown(move.id, 'arrived')) return 'opened';
  if (!isNew && there?.id !== move.id) {
    const wayOut = move.state === 'opening' ? '' : ', or cancel the move first';
    throw new MoveRefused(
      `a move to ${move.peer} is under way, and ${target.name} knows nothing of it: name that one${wayOut}`,
    );
  }
  if (there?.id === move.id && there.state === 'cancelled')
    throw new MoveRefused(`the move was cancelled at ${target.name}: finish that with --cancel`);
  if (there && there.id !== move.id && there.role === 'to' && there.state === 'opened')
    throw new MoveRefused(`${target.name} is in use: data of tenant ${tenantId} was moved there from ${there.peer}`);
  if (there && (await ends.from.past.isKnown(there.id, 'left')))
    throw new MoveRefused(`${target.name} still has the copy of a cancelled move: remove it with --cancel first`);
  if (there?.id !== move.id) await refuseUsed(parts);
  const claimed = await ends.to.claim(move.id, { peer: source.name, told: TOLD.arriving(source.name), seen: there });
  if (claimed === 'taken')
    throw new MoveRefused(
      `${target.name} is being filled by another move, from ${there?.peer ?? 'elsewhere'}: end or cancel that one first`,
    );
  // What an earlier run copied is no other's data: the target itself knows whether it was empty, as a failover may have taken the source back.
  if (claimed === 'untouched') {
    if (isNew) await refuseStoredMeanwhile(parts, move.id);
    await ends.to.confirmEmpty(move.id);
  }
  return claimed;
}

async function begin({ source, target, ends }: ClaimParts): Promise<SourceMove> {
  const [format, moved] = await source.connection.hmget(ends.keys.counts, 'format', 'moved');
  if (moved != null) throw new MoveRefused(`at ${source.name} ${moved}`);
  if (Number(format ?? 1) > READS_FORMAT)
    throw new MoveRefused(`the data has format ${format}: move it with the version that wrote it`);
  const there = await ends.to.read();
  if (there?.role === 'from') {
    if (there.state === 'done' || there.state === 'removing')
      throw new MoveRefused(
        `${target.name} still has the data of an earlier move from there: remove it with --finish first`,
      );
    if (there.state !== 'finished') throw new MoveRefused(`${target.name} is being moved to ${there.peer}`);
  }
  const id = randomUUID();
  const fields = { id, peer: target.name, format: '' };
  if (!(await ends.from.change({ id: null, from: null, to: 'begun', tenant: 'keep', fields })))
    throw new MoveRefused(`${source.name} is still being filled by another move: that has to end first`);
  const move = await ends.from.read();
  // Ended while this run stood still.
  if (move?.id !== id) throw new AnotherRun();
  return move;
}

async function refuseUsed({ target, tenantId, ends }: ClaimParts): Promise<void> {
  const nameAt = ends.keys.root.length + 1;
  for await (const keys of scanTenant(target.connection, ends.keys.root)) {
    const used = keys.find((key) => isInUse(key.slice(nameAt)) && key !== ends.keys.counts);
    if (used !== undefined) throw inUse(target.name, tenantId);
  }
  // Counts alone are of a tenant that is closed, or of one that was used.
  const counts = Object.keys(await target.connection.hgetall(ends.keys.counts));
  if (counts.some((field) => field !== 'format' && field !== 'moved')) throw inUse(target.name, tenantId);
}

/** A process may have accepted something between the look and the claim. */
async function refuseStoredMeanwhile(parts: ClaimParts, id: string): Promise<void> {
  try {
    await refuseUsed(parts);
  } catch (error) {
    // Whoever could not look may look again.
    if (error instanceof MoveRefused) await parts.ends.to.forget(id, TOLD.cancelled(parts.source.name));
    throw error;
  }
}

const inUse = (name: string, tenantId: string) =>
  new MoveRefused(`${name} already has data of tenant ${tenantId} that is not of this move`);

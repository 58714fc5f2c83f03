// Moves all data of a tenant to another Redis beside live traffic: copies, closes, copies the rest, verifies, opens there.
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { STATUSES, type Status } from '../../../domain/delivery.ts';
import { createAnnouncementKeys } from '../keys.ts';
import { claimTarget } from './claim.ts';
import { awaitReplicas, confirmReplicas } from './confirm-replicas.ts';
import { copyPass, type Passed } from './copy-pass.ts';
import { isPastOpening, type SourceMove } from './ends.ts';
import { holdLock } from './lock.ts';
import { MoveRefused, openEnds, TOLD, type Ends, type MoveRedis } from './open-ends.ts';
import { createWriter, TargetSetBack } from './writer.ts';

/** What happens, for whoever waits. */
export type MoveEvents = {
  passed: (passed: Passed & { number: number; isClosed: boolean; durationMs: number }) => void;
  /** No attempt begins any more; those under way are waited for. */
  draining: (delivering: number) => void;
  /** Submissions are refused from now on. */
  closed: () => void;
  /** Attempts were under way when it was closed: they must not be made again before they can no longer arrive. */
  waiting: (delivering: number, waitMs: number) => void;
};

export type MoveTenantParts = {
  source: MoveRedis;
  target: MoveRedis;
  tenantId: string;
  /** The workers' ATTEMPT_TIMEOUT_MS: how long one request to Graph may take. */
  attemptTimeoutMs: number;
  /** Ends the run where it is; the next one goes on. */
  signal: AbortSignal;
  events: MoveEvents;
};

export type MoveEnded =
  | {
      kind: 'moved';
      keys: number;
      bytes: number;
      deliveries: Record<Status, number>;
      /** For how long submissions were refused. */
      closedMs: number;
    }
  /** By an earlier run. `at` is when, in ISO 8601, on the clock of the source. */
  | { kind: 'moved-before'; peer: string; at: string }
  /** Both ends know of it, and the target is closed. */
  | { kind: 'prepared' };

const SEE_DOCUMENTATION = 'see “A Redis that forgets” in the documentation';

const LIVE_PASSES_AT_MOST = 10;
/** At most about this many keys are left to write once submissions are refused; what takes the time then is to compare all of them. */
const FEW = 1000;
/** Another pass pays if it finds much less than the one before. */
const PAYS = 0.7;
const CLOSED_PASSES_AT_MOST = 10;
const DRAIN_LOOK_EVERY_MS = 100;
const DRAIN_AGAIN_EVERY_MS = 2000;
/** Much may have been accepted meanwhile. */
const PASS_AGAIN_AFTER_MS = 2000;
/** An announced create is sent within 10 s, or not at all. */
const SENT_WITHIN_MS = 10_000;
/** A lookup ends after a minute. */
const LOOKUP_MS = 65_000;
const MARGIN_MS = 5000;

const movedBefore = ({ peer, at }: SourceMove): MoveEnded => ({
  kind: 'moved-before',
  peer,
  at: new Date(at).toISOString(),
});

/** @param isPreparing only closes the target, so that processes can be started there */
export async function moveTenant(parts: MoveTenantParts, isPreparing: boolean): Promise<MoveEnded> {
  const ends = openEnds(parts, parts.tenantId);
  const lock = await holdLock(ends.from, parts.signal);
  try {
    const signal = AbortSignal.any([parts.signal, lock.lost]);
    return await createMove({ ...parts, signal, ends }).run(isPreparing);
  } finally {
    await lock.release();
  }
}

function createMove(parts: MoveTenantParts & { ends: Ends }) {
  const { source, target, ends, signal, events, tenantId } = parts;
  const { keys, from, to } = ends;
  const longestAttemptMs = SENT_WITHIN_MS + parts.attemptTimeoutMs + MARGIN_MS;
  const copied = {
    source: source.connection,
    target: target.connection,
    keys,
    signal,
    writer: createWriter(target.connection, keys.move, ends.run),
  };
  let number = 0;

  async function pass(isClosed: boolean): Promise<Passed> {
    const startedAt = performance.now();
    number += 1;
    const passed = await copyPass(copied);
    events.passed({ ...passed, number, isClosed, durationMs: performance.now() - startedAt });
    signal.throwIfAborted();
    return passed;
  }

  /** @throws the signal's reason */
  async function pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal }).catch(() => undefined);
    signal.throwIfAborted();
  }

  async function run(isPreparing: boolean): Promise<MoveEnded> {
    let known = await from.read();
    if (known && isPastOpening(known.state)) {
      if (await hasOpened(known)) return movedBefore(known);
      known = await reopen(known);
    }
    if (known?.state === 'cancelling') throw new MoveRefused('the move is being cancelled: finish that with --cancel');
    const { move, isOpened } = await claimTarget(parts, known);
    await awaitReplicas(target.connection, keys.root, signal);
    if (isOpened) {
      // By a run that was faster.
      if (isPastOpening(move.state)) return movedBefore(move);
      await recallOpened(move);
      return openTarget('');
    }
    return isPreparing ? { kind: 'prepared' } : openTarget(await copyAll(move));
  }

  /** False if the target was set back, as by a failover, to before it was opened. @throws MoveRefused if it knows nothing of the move */
  async function hasOpened({ id, state, peer }: SourceMove): Promise<boolean> {
    const there = await to.read();
    if (there?.id === id) return there.state !== 'copying';
    if (state !== 'finished' && target.name === peer && !(await to.past.isKnown(id, 'arrived')))
      throw new MoveRefused(`the data was moved to ${peer}, which has forgotten that: ${SEE_DOCUMENTATION}`);
    return true;
  }

  /** From then on the old data cannot be removed. */
  async function reopen(move: SourceMove): Promise<SourceMove> {
    if (move.state !== 'done')
      throw new MoveRefused(
        `${target.name} has forgotten that it was opened, and a part of the data was removed from ${source.name} since, so neither is whole: ${SEE_DOCUMENTATION}`,
      );
    return step(move, { to: 'opening', tenant: 'stay-closed' });
  }

  /** @returns the target's mark, see `copyRest` */
  async function copyAll(claimed: SourceMove): Promise<string> {
    let move = claimed;
    if (move.state === 'copying') move = await copyBeside(move);
    if (move.state === 'draining') move = await drain(move);
    // Also where an earlier run had verified all of it: what became of the target since, nobody has watched.
    return copyRest(move);
  }

  /** The target is in use, though a source that was set back, as by a backup, may not know it. */
  async function recallOpened(move: SourceMove): Promise<void> {
    if (move.state === 'opening') return;
    if (move.state !== 'closed')
      throw new MoveRefused(
        `${target.name} is in use, and ${source.name} has forgotten that the data has moved there, and may have taken run results since: ${SEE_DOCUMENTATION}`,
      );
    const there = await to.read();
    const { keys: count, bytes } = there?.id === move.id ? there : { keys: 0, bytes: 0 };
    const fields = { peer: target.name, keys: String(count), bytes: String(bytes) };
    await step(move, { to: 'opening', tenant: 'stay-closed', told: TOLD.gone(target.name), fields });
  }

  async function step(
    move: SourceMove,
    change: Omit<Parameters<typeof from.change>[0], 'id' | 'from'>,
  ): Promise<SourceMove> {
    const isChanged = await from.change({ id: move.id, from: move.state, ...change });
    const next = await from.read();
    if (!isChanged || !next)
      throw new MoveRefused('the move was changed meanwhile, or a failover lost a part of it: run it again');
    return next;
  }

  async function copyBeside(move: SourceMove): Promise<SourceMove> {
    let before = Infinity;
    for (let count = 0; count < LIVE_PASSES_AT_MOST; count += 1) {
      const { written, removed } = await pass(false);
      const differences = written + removed;
      if (differences <= FEW || differences > before * PAYS) break;
      before = differences;
    }
    // A replica that lags behind is waited for while the source still works.
    await confirmTarget();
    return step(move, { to: 'draining', tenant: 'drain' });
  }

  /** Outcomes are still stored, so that what was sent is not looked up for nothing. */
  async function drain(move: SourceMove): Promise<SourceMove> {
    const keepDraining = () => from.change({ id: move.id, from: 'draining', to: 'draining', tenant: 'drain' });
    // If an earlier run died here, attempts may have begun again.
    await keepDraining();
    const draining = setInterval(() => void keepDraining().catch(() => undefined), DRAIN_AGAIN_EVERY_MS);
    try {
      await waitUntilDrained();
      return await close(move);
    } finally {
      clearInterval(draining);
    }
  }

  async function waitUntilDrained(): Promise<void> {
    const startedAt = performance.now();
    const waitMs = Math.max(longestAttemptMs, LOOKUP_MS);
    let delivering = await from.countDelivering();
    events.draining(delivering);
    signal.throwIfAborted();
    while (delivering > 0 && performance.now() - startedAt < waitMs) {
      await pause(DRAIN_LOOK_EVERY_MS);
      delivering = await from.countDelivering();
    }
    if (performance.now() - startedAt > PASS_AGAIN_AFTER_MS) await pass(false);
  }

  async function close(move: SourceMove): Promise<SourceMove> {
    // A replica that hangs ends the run while submissions are still taken.
    await awaitReplicas(source.connection, keys.root, signal);
    const closed = await step(move, { to: 'closed', tenant: 'close', told: TOLD.leaving(target.name) });
    events.closed();
    signal.throwIfAborted();
    await confirmReplicas(source.connection, keys.root);
    return closed;
  }

  /** @returns the mark that the target has to have when it is opened */
  async function copyRest(move: SourceMove): Promise<string> {
    const { keys: count, bytes, mark } = await passUntilSame();
    await waitForAttempts(move);
    await moveAnnounced();
    if ((await to.readMark()) !== mark) throw new TargetSetBack();
    const fields = { peer: target.name, keys: String(count), bytes: String(bytes) };
    await step(move, { to: 'opening', tenant: 'stay-closed', told: TOLD.gone(target.name), fields });
    return mark;
  }

  /**
   * The pass that finds no difference has read every key on both sides, after the last change. Servers that take over may have
   * less: a target shows that by its mark, and a source by not being closed any more, which the next step requires.
   */
  async function passUntilSame(): Promise<Passed & { mark: string }> {
    let isSetBack = false;
    for (let count = 0; count < CLOSED_PASSES_AT_MOST; count += 1) {
      const mark = await confirmTarget();
      const passed = await pass(true);
      isSetBack = (await to.readMark()) !== mark;
      if (!isSetBack && passed.written + passed.removed === 0) return { ...passed, mark };
    }
    if (isSetBack) throw new TargetSetBack();
    throw new MoveRefused('the two sides keep differing although nobody may write: see who writes to either of them');
  }

  /** What was written to the target would outlive a failover there. @returns its new mark */
  async function confirmTarget(): Promise<string> {
    const mark = randomUUID();
    // Replicas confirm what came before a connection's latest write, and a connection that was re-established has none.
    await copied.writer.apply([{ key: keys.move, command: ['hset', 'mark', mark] }]);
    await awaitReplicas(target.connection, keys.root, signal);
    return mark;
  }

  /** Where some were under way when it was closed, such as those of a worker that did not know of draining. */
  async function waitForAttempts({ closedAt }: SourceMove): Promise<void> {
    const delivering = await from.countDelivering();
    if (delivering === 0) return;
    const waitMs = Math.min(longestAttemptMs, closedAt + longestAttemptMs - (await from.now()));
    if (waitMs <= 0) return;
    events.waiting(delivering, waitMs);
    await pause(waitMs);
  }

  /** What operators were told about the tenant, so that they are not told again; at worst, by a run that stood still, they are. */
  async function moveAnnounced(): Promise<void> {
    const { announced } = createAnnouncementKeys(source.prefix);
    const text = await source.connection.hget(announced, tenantId);
    if (text !== null) await target.connection.hset(announced, tenantId, text);
  }

  /** Past the point of no return once the target is open. */
  async function openTarget(mark: string): Promise<MoveEnded> {
    await confirmReplicas(source.connection, keys.root);
    const move = await from.read();
    if (move?.state !== 'opening') throw new MoveRefused('the move was changed meanwhile: run it again');
    await to.open(move.id, { ...move, mark });
    const closedMs = (await from.now()) - move.closedAt;
    const statuses = await target.connection.hmget(keys.counts, ...STATUSES);
    await enqueuePromoted().catch(() => undefined);
    await awaitReplicas(target.connection, keys.root, signal);
    await step(move, { to: 'done', tenant: 'keep' });
    const deliveries = Object.fromEntries(STATUSES.map((status, index) => [status, Number(statuses[index] ?? 0)]));
    return {
      kind: 'moved',
      keys: move.keys,
      bytes: move.bytes,
      deliveries: deliveries as Record<Status, number>,
      closedMs,
    };
  }

  /** Their jobs stayed behind. Workers would notice within seconds. */
  async function enqueuePromoted(): Promise<void> {
    const ids = await target.connection.zrange(keys.promoted, '0', '-1');
    if (ids.length === 0) return;
    const due = await target.connection.zmscore(keys.putOff, ...ids);
    await target.jobs.ofTenant(tenantId).enqueue(ids.filter((_id, index) => due[index] == null));
  }

  return { run };
}

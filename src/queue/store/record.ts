// The stored form of a delivery, a single string: a header that scripts read, the delivery's state, and the run result.
import { hash, randomInt } from 'node:crypto';
import { createDelivery, isTerminal } from '../../domain/delivery.ts';
import type { Attempt, Delivery, LastFailure, Intent, Status, Uncertainty } from '../../domain/delivery.ts';
import type { Note } from '../../domain/attempt/note.ts';
import type { RunResult } from '../../domain/submission/run-result.ts';
import { HEADER_BYTES, READS_FORMAT, STATUS_CODES } from '../lua/constants.ts';
import type { SavedRecord } from '../redis/replicas/shared-wait.ts';
import { LeftAlone } from './left-alone.ts';
import { DecryptionFailed, type PayloadCipher } from './payload-cipher.ts';

/** A stored delivery: with its run result while needed, and the revision for compare-and-set. */
export type Stored = { delivery: Delivery; run: RunResult | null; rev: number };

/** Position in the waiting list: rank, and 1-based sequence number within it. */
export type ListPosition = { rank: number; number: number };

const STATUS_OF = Object.fromEntries(Object.entries(STATUS_CODES).map(([status, code]) => [code, status as Status]));

/** Headers have room for revisions of ten digits. */
const LARGEST_STEP = 2 ** 24;

/**
 * A revision is larger than the one before, or than 0, by a random number: while a failover is under way two servers take results and
 * changes of one delivery, and a change that is meant for one of them must not fit the other.
 */
export const nextRevision = (rev: number): number => rev + randomInt(1, LARGEST_STEP);

/** How many of the latest attempts of a delivered run are kept. */
const ATTEMPTS_REMEMBERED = 8;

type Tuple = [number: number, at: number, outcome: Attempt['outcome'], status: number | null, requestId: string | null];

/** `looks`: the lookups that found nothing. */
type StoredUncertainty = Omit<Uncertainty, 'lookups'> & { looks: number };

/** State not in the header, kept compact: members equal to those of a new delivery are omitted. */
type StoredState = {
  /** Run, device and configuration, if the run result has been removed. */
  of?: [runId: string, deviceId: string, hardwareConfigurationId: string] | undefined;
  made?: number | undefined;
  tries?: Tuple[] | undefined;
  due?: number | undefined;
  failing?: number | undefined;
  mark?: Intent | undefined;
  unsure?: StoredUncertainty | undefined;
  failed?: LastFailure | undefined;
  done?: number | undefined;
  record?: string | undefined;
  by?: string | undefined;
  notes?: [code: Note['code'], at: number, by: string | null][] | undefined;
  trace?: string | undefined;
};

/**
 * The part of a record after its header. A delivered run result is dropped. That of a superseded delivery may be needed
 * again but can be removed by a script, so its identifiers are also stored separately.
 * @param run the run result as text, null if it has been removed
 */
export function toBody(delivery: Delivery, run: string | null, { seal }: PayloadCipher): string {
  const forgotten = run === null || delivery.status === 'delivered';
  const state = JSON.stringify(toStoredState(delivery, forgotten || delivery.status === 'superseded'));
  return `${state === '{}' ? '' : seal(state, delivery.id)}\n${forgotten ? '' : seal(run, delivery.id)}`;
}

function toStoredState(delivery: Delivery, named: boolean): StoredState {
  const { runId, deviceId, hardwareConfigurationId, attempts, status } = delivery;
  const kept = status === 'delivered' ? attempts.slice(-ATTEMPTS_REMEMBERED) : attempts;
  const settled = isTerminal(status);
  return {
    of: named ? [runId, deviceId, hardwareConfigurationId] : undefined,
    made: delivery.attemptsMade || undefined,
    tries: kept.length === 0 ? undefined : kept.map(toTuple),
    due: settled || delivery.dueAt === delivery.acceptedAt ? undefined : delivery.dueAt,
    failing: settled ? undefined : (delivery.failingSince ?? undefined),
    mark: delivery.intent ?? undefined,
    unsure: delivery.uncertainty ? toStoredUncertainty(delivery.uncertainty) : undefined,
    failed: delivery.lastFailure ?? undefined,
    done: delivery.deliveredAt ?? undefined,
    record: delivery.deviceRunStateId ?? undefined,
    by: delivery.supersededBy ?? undefined,
    notes: delivery.notes.length === 0 ? undefined : delivery.notes.map(({ code, at, by }) => [code, at, by]),
    trace: delivery.traceparent ?? undefined,
  };
}

const toStoredUncertainty = ({ lookups, ...others }: Uncertainty): StoredUncertainty => ({ ...others, looks: lookups });
const fromStoredUncertainty = ({ looks, ...others }: StoredUncertainty): Uncertainty => ({ ...others, lookups: looks });

const toTuple = ({ number, at, outcome, graphStatus, graphRequestId }: Attempt): Tuple => [
  number,
  at,
  outcome,
  graphStatus,
  graphRequestId,
];

/** A record of format 1 has none. */
const MARK = /^v(\d+) /;

const headerOf = (record: string) => record.slice(0, HEADER_BYTES).replace(MARK, '');

/** Whether a record is there and cannot be read here: it is sealed with an unknown key, or of a newer version. */
export const isUnreadable = (error: unknown): boolean =>
  error instanceof DecryptionFailed || (error instanceof LeftAlone && error.scope === 'record');

/** @throws LeftAlone if a newer version wrote the record */
export function refuseNewer(id: string, record: string): void {
  const format = Number(MARK.exec(record)?.[1] ?? 1);
  if (format <= READS_FORMAT) return;
  const detail = `the record of delivery ${id} has format ${format}, this version reads up to ${READS_FORMAT}`;
  throw new LeftAlone('record', 'newer', detail);
}

/** Reads the header only, which needs no key. @throws Error if it is not a record, LeftAlone if it is a newer version's */
export function parseHeader(
  id: string,
  tenantId: string,
  record: string,
): { base: Base; rev: number; place: ListPosition } {
  refuseNewer(id, record);
  const [rev, letter = '', acceptedAt, rank, number] = headerOf(record).split(' ');
  const status = STATUS_OF[letter];
  if (status === undefined) throw new Error(`the record of delivery ${id} cannot be read`);
  const place = { rank: Number(rank), number: Number(number) };
  return { base: { id, tenantId, status, acceptedAt: Number(acceptedAt) }, rev: Number(rev), place };
}

type StoredText = { id: string; tenantId: string; record: string; cipher: PayloadCipher };

/** @throws Error if it is not a record, is sealed with an unknown key, or is a newer version's */
export function parseRecord({ id, tenantId, record, cipher: { open } }: StoredText): Stored & { place: ListPosition } {
  const { base, rev, place } = parseHeader(id, tenantId, record);
  const [, state = '', run = ''] = record.split('\n');
  const parsedRun = run === '' ? null : (JSON.parse(open(run, id)) as RunResult);
  const parsedState = state === '' ? {} : (JSON.parse(open(state, id)) as StoredState);
  return { delivery: fromStoredState(base, parsedState, parsedRun), run: parsedRun, rev, place };
}

type Base = Pick<Delivery, 'id' | 'tenantId' | 'status' | 'acceptedAt'>;

function fromStoredState(base: Base, state: StoredState, run: RunResult | null): Delivery {
  const [runId, deviceId, hardwareConfigurationId] = run
    ? [run.runId, run.deviceId, run.hardwareConfigurationId]
    : (state.of ?? ['', '', '']);
  return {
    ...createDelivery({
      tenantId: base.tenantId,
      run: { runId, deviceId, hardwareConfigurationId },
      now: base.acceptedAt,
    }),
    ...base,
    attemptsMade: state.made ?? 0,
    attempts: (state.tries ?? []).map(([number, at, outcome, graphStatus, graphRequestId]) => ({
      number,
      at,
      outcome,
      graphStatus,
      graphRequestId,
    })),
    dueAt: state.due ?? base.acceptedAt,
    failingSince: state.failing ?? null,
    intent: state.mark ?? null,
    uncertainty: state.unsure ? fromStoredUncertainty(state.unsure) : null,
    lastFailure: state.failed ?? null,
    deliveredAt: state.done ?? null,
    deviceRunStateId: state.record ?? null,
    // A delivery that came back was changed by a script, which cannot update the sealed part.
    supersededBy: base.status === 'superseded' ? (state.by ?? null) : null,
    notes: (state.notes ?? []).map(([code, at, by]) => ({ code, at, by })),
    traceparent: state.trace ?? null,
  };
}

/** The fingerprint of the run result, from a record's header. */
export function fingerprintOf(record: string): string {
  return headerOf(record).split(' ')[5] ?? '';
}

/** A run result by its fingerprint, for the wait for replicas. */
export const toSavedRun = (record: string, fingerprint: string): SavedRecord => ({
  record,
  bytes: HEADER_BYTES,
  isSaved: (start) => fingerprintOf(start) === fingerprint,
});

/** A change with nothing after it, for the wait for replicas. */
export const toSavedChange = (record: string, rev: number): SavedRecord => ({
  record,
  bytes: HEADER_BYTES,
  isSaved: (start) => Number(headerOf(start).split(' ', 1)[0]) === rev,
});

/** The key of its configuration, from a record's header; '' in those of the first versions. */
export function configurationOf(record: string): string {
  const [header = ''] = headerOf(record).split('\n', 1);
  return header.split(' ')[8] ?? '';
}

/** Compared by searches instead of a device or run id; reveals nothing about the id to readers of Redis. */
export function searchHash(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, 6);
}

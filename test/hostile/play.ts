// Playing cases over connections that are kept as long as they last, and noting what every answer promised.
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Case, Expected, Step } from './case.ts';
import { openConnection, type Connection, type RawAnswer } from './connection.ts';
import { hangUp, type Doors } from './hang-ups.ts';
import { judge, parse } from './judge.ts';
import { isBusy, readEntries } from './judge-entries.ts';
import type { RunRecord } from './rules.ts';
import { toAsk } from './tenants.ts';

/** What the API must hold in the end, and what it may. */
export type Promised = {
  /** By delivery id; of other tenants than `default` with their name before it. */
  stored: Map<string, RunRecord>;
  /** Submissions whose answer nobody waited for, or that were promised nothing; by device and run. */
  possible: Map<string, RunRecord[]>;
};

export const keyOf = ({ deviceId, runId }: Pick<RunRecord, 'deviceId' | 'runId'>, tenant?: string): string =>
  `${prefixOf(tenant)}${deviceId} ${runId}`;
export const prefixOf = (tenant: string | undefined): string => (tenant === undefined ? '' : `${tenant}/`);

/** Notes that a run may be stored. */
export function allow({ possible }: Promised, run: RunRecord, tenant?: string): void {
  const key = keyOf(run, tenant);
  possible.set(key, [...(possible.get(key) ?? []), run]);
}

export type Player = {
  /** @returns everything that was wrong */
  play: (one: Case) => Promise<string[]>;
  answers: Map<string, number>;
  close: () => void;
};

const AGAIN_AFTER_MS = 20;
const MOST_TIMES = 500;

/** One sender, who opens a new connection where the last one was closed. */
export function createPlayer(doors: Doors, promised: Promised): Player {
  const answers = new Map<string, number>();
  let connection: Connection | null = null;
  let lastReceipt = '';

  async function playStep(step: Step, times = 1): Promise<string[]> {
    if (connection?.isOpen() !== true) connection = await openConnection(doors.api);
    const bytes = step.ask ? toAsk(step.ask, lastReceipt) : step.bytes;
    const isHead = bytes.subarray(0, 5).toString() === 'HEAD ';
    connection.write(bytes);
    if (step.then === 'cut') connection.end();
    const faults: string[] = [];
    for (const expected of step.answers) {
      const answer = await connection.read(isHead);
      if (answer === null) {
        count('hung up');
        for (const run of storedBy(expected)) allow(promised, run, expected.tenant);
        if (step.then === 'keep' && expected.statuses.some((status) => status < 400))
          faults.push('hung up without an answer');
        break;
      }
      count(String(answer.status));
      if (answer.status === 503 && step.then === 'keep' && step.answers.length === 1 && times < MOST_TIMES) {
        faults.push(...judge(answer, expected), ...note(expected, answer));
        await delay(AGAIN_AFTER_MS);
        return [...faults, ...(await playStep(step, times + 1))];
      }
      faults.push(...judge(answer, expected));
      faults.push(...note(expected, answer));
    }
    if (step.then !== 'keep') faults.push(...(await expectSilence(connection, step)));
    return faults;
  }

  /** Hangs up, so that whatever was hidden in the bytes and is still to be answered is answered now. */
  async function expectSilence(open: Connection, step: Step): Promise<string[]> {
    open.end();
    const surplus = await open.read(false);
    open.destroy();
    connection = null;
    // What follows a broken message may be refused as broken itself.
    const isSurprise = surplus !== null && (surplus.status !== 400 || step.answers.length === 0);
    return isSurprise ? [`one answer too many: ${surplus.status} ${surplus.body.toString().slice(0, 200)}`] : [];
  }

  function note(expected: Expected, { status, body }: RawAnswer): string[] {
    if (status === 503) for (const run of storedBy(expected)) allow(promised, run, expected.tenant);
    if (status >= 300) return [];
    if (!expected.entries) return noteReceipt(expected.stores, parse(body), expected.tenant);
    const entries = readEntries(body) ?? [];
    return expected.entries.flatMap(({ stores }, at) => {
      const entry = entries[at] ?? {};
      if (stores && isBusy(entry)) allow(promised, stores);
      return noteReceipt(stores, entry);
    });
  }

  function noteReceipt(stores: RunRecord | null, receipt: Record<string, unknown> | null, tenant?: string): string[] {
    const told = receipt?.['deliveryId'];
    if (stores === null || typeof told !== 'string') return [];
    lastReceipt = told;
    const id = `${prefixOf(tenant)}${told}`;
    const known = promised.stored.get(id);
    promised.stored.set(id, stores);
    return known === undefined || isDeepStrictEqual(known, stores) ? [] : [`two runs are one delivery: ${id}`];
  }

  const count = (what: string) => void answers.set(what, (answers.get(what) ?? 0) + 1);

  return {
    answers,
    play: async (one) => {
      const faults: string[] = [];
      if (one.hangUp) {
        const { bytes, run, how } = one.hangUp;
        if (run) allow(promised, run);
        count('hung up on');
        await hangUp(doors, bytes, how);
      }
      for (const step of one.steps) {
        try {
          faults.push(...(await playStep(step)));
        } catch (error) {
          faults.push(error instanceof Error ? error.message : 'no error was thrown');
          connection?.destroy();
          connection = null;
        }
      }
      return faults;
    },
    close: () => connection?.destroy(),
  };
}

const storedBy = ({ stores, entries = [] }: Expected): RunRecord[] =>
  [{ stores }, ...entries].flatMap(({ stores: run }) => run ?? []);

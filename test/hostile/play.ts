// Playing cases over connections that are kept as long as they last, and noting what every answer promised.
import { isDeepStrictEqual } from 'node:util';
import type { Case, Expected, Step } from './case.ts';
import { openConnection, type Connection } from './connection.ts';
import { judge, parse } from './judge.ts';
import type { RunRecord } from './rules.ts';

/** What the API must hold in the end, and what it may. */
export type Promised = {
  /** By delivery id. */
  stored: Map<string, RunRecord>;
  /** Submissions whose answer nobody waited for. */
  possible: RunRecord[];
};

export type Player = {
  /** @returns everything that was wrong */
  play: (one: Case) => Promise<string[]>;
  answers: Map<string, number>;
  close: () => void;
};

/** One sender, who opens a new connection where the last one was closed. */
export function createPlayer(port: number, promised: Promised): Player {
  const answers = new Map<string, number>();
  let connection: Connection | null = null;

  async function playStep(step: Step): Promise<string[]> {
    if (connection?.isOpen() !== true) connection = await openConnection(port);
    const isHead = step.bytes.subarray(0, 5).toString() === 'HEAD ';
    connection.write(step.bytes);
    if (step.then === 'cut') connection.end();
    const faults: string[] = [];
    for (const expected of step.answers) {
      const answer = await connection.read(isHead);
      if (answer === null) {
        count('hung up');
        if (expected.stores) promised.possible.push(expected.stores);
        if (step.then === 'keep' && expected.statuses.some((status) => status < 400))
          faults.push('hung up without an answer');
        break;
      }
      count(String(answer.status));
      faults.push(...judge(answer, expected));
      if (answer.status < 300) faults.push(...note(expected, parse(answer.body)));
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

  function note({ stores }: Expected, receipt: Record<string, unknown> | null): string[] {
    const id = receipt?.['deliveryId'];
    if (stores === null || typeof id !== 'string') return [];
    const known = promised.stored.get(id);
    promised.stored.set(id, stores);
    return known === undefined || isDeepStrictEqual(known, stores) ? [] : [`two runs are one delivery: ${id}`];
  }

  const count = (what: string) => void answers.set(what, (answers.get(what) ?? 0) + 1);

  return {
    answers,
    play: async (one) => {
      const faults: string[] = [];
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

// Holds and suspicions shared by all workers: read, judged here, and stored by compare-and-set.
import type { Hold, HoldKey } from '../../domain/hold/hold.ts';
import { giveBack, judge, remembered, type Evidence, type Judgement, type Knowledge } from '../../domain/hold/judge.ts';
import type { Parked } from '../../domain/operations/tenant-snapshot.ts';
import type { Keys } from '../redis/keys.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { scriptOf } from '../redis/script.ts';

export type Holds = {
  /** Judges the outcome of an attempt by what all workers know, and stores the result. */
  judge: (evidence: Evidence) => Promise<Judgement>;
  /** A probe ended without a result, so the next one may be sent immediately. */
  giveBack: (deliveryId: string) => Promise<void>;
  list: () => Promise<Hold[]>;
  /** How many deliveries are parked under each configuration hold. */
  countParked: () => Promise<Parked>;
};

type Read = { knowledge: Knowledge; version: string; now: number };

/** Maps the prefix of a hash field to a member of Knowledge. */
const MEMBERS = { h: 'holds', s: 'suspicions', w: 'worked' } as const;
type Member = (typeof MEMBERS)[keyof typeof MEMBERS];
/** If other processes win this often in a row, something else is wrong. */
const TRIES = 100;

/** @param holdProbeMs delay before a hold's first probe */
export function createHolds(redis: RedisConnection, keys: Keys, holdProbeMs: number): Holds {
  const readScript = scriptOf(redis, 'budget/read-holds');
  const changeScript = scriptOf(redis, 'budget/change-holds');
  let turn: Promise<unknown> = Promise.resolve();

  async function read(): Promise<Read> {
    const [now, flat, parked] = (await readScript([keys.holds, keys.parkedSets], [keys.root])) as [
      number,
      string[],
      string[],
    ];
    const { knowledge, version } = toKnowledge(flat);
    return { knowledge: { ...knowledge, parked }, version, now };
  }

  /** Changes run one at a time within a process, so only other processes can conflict. */
  function change<T extends { knowledge: Knowledge }>(decide: (read: Read) => T): Promise<T> {
    const changed = turn.then(async () => {
      for (let tries = 0; tries < TRIES; tries += 1) {
        const found = await read();
        const decided = decide(found);
        const changes = toChanges(found.knowledge, decided.knowledge);
        if (changes.length === 0) return decided;
        const args = [found.version, ...changes.flat()];
        if ((await changeScript([keys.holds, keys.probes, keys.released], args)) === 1) return decided;
      }
      throw new Error('holds could not be changed: others were faster each time');
    });
    turn = changed.catch(() => undefined);
    return changed;
  }

  return {
    judge: (evidence) => change(({ knowledge, now }) => judge({ before: knowledge, evidence, now, holdProbeMs })),
    giveBack: async (deliveryId) => {
      await change(({ knowledge, now }) => ({ knowledge: giveBack(knowledge, deliveryId, now) }));
    },
    list: async () => {
      const { knowledge, now } = await read();
      return Object.values(remembered(knowledge, now));
    },
    countParked: async () => {
      const sets = (await redis.smembers(keys.parkedSets)) as HoldKey[];
      const counts = await Promise.all(sets.map((set) => redis.zcard(keys.parked(set))));
      return Object.fromEntries(sets.map((set, index) => [set, counts[index] ?? 0]));
    },
  };
}

/** What the hash of holds says, which does not say what is parked. */
export function toKnowledge(flat: readonly string[]): Omit<Read, 'now'> {
  const knowledge: Knowledge = { holds: {}, suspicions: {}, worked: {}, parked: [] };
  let version = '0';
  for (let index = 0; index < flat.length; index += 2) {
    const [field = '', value = ''] = [flat[index], flat[index + 1]];
    const member = MEMBERS[field[0] as keyof typeof MEMBERS] as Member | undefined;
    if (field === 'v') version = value;
    else if (member) knowledge[member][field.slice(2)] = JSON.parse(value) as never;
  }
  return { knowledge, version };
}

/** Fields that differ, with their new values; an empty value deletes the field. */
function toChanges(before: Knowledge, after: Knowledge): [field: string, value: string][] {
  return Object.entries(MEMBERS).flatMap(([letter, member]) => {
    const names = new Set([...Object.keys(before[member]), ...Object.keys(after[member])]);
    return Array.from(names).flatMap((name): [string, string][] => {
      const [was, is] = [before[member][name], after[member][name]].map((value) =>
        value === undefined ? '' : toJson(value),
      );
      return was === is ? [] : [[`${letter}:${name}`, is ?? '']];
    });
  });
}

/** Lone surrogates, from Graph or from a truncated text, would be JSON that Redis's scripts cannot parse. */
const toJson = (value: unknown): string =>
  JSON.stringify(value, (_name, member: unknown) => (typeof member === 'string' ? member.toWellFormed() : member));

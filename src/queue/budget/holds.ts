// What is known of the way to Graph, shared by all workers: read, judged here, and stored unless somebody was faster.
import { isForgotten, type Hold, type HoldKey } from '../../domain/hold/hold.ts';
import { giveBack, judge, type Evidence, type Judgement, type Knowledge } from '../../domain/hold/judge.ts';
import type { Parked } from '../../domain/operations/tenant-snapshot.ts';
import type { Keys } from '../redis/keys.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { scriptOf } from '../redis/script.ts';

export type Holds = {
  /** Judges what an attempt came to, by what all workers know, and remembers it. */
  judge: (evidence: Evidence) => Promise<Judgement>;
  /** A probe came to nothing: nothing was learned, and the next one may go at once. */
  giveBack: (deliveryId: string) => Promise<void>;
  list: () => Promise<Hold[]>;
  /** How many deliveries are parked under each hold of a configuration. */
  countParked: () => Promise<Parked>;
};

type Read = { knowledge: Knowledge; version: string; now: number };

/** Which member of what is known a field of the hash belongs to. */
const MEMBERS = { h: 'holds', s: 'suspicions', w: 'worked' } as const;
/** Somebody else was faster each time: with as many workers as that something else is wrong. */
const TRIES = 100;

/** @param holdProbeMs how long the first probe of a hold waits */
export function createHolds(redis: RedisConnection, keys: Keys, holdProbeMs: number): Holds {
  const readScript = scriptOf(redis, 'budget/read-holds');
  const changeScript = scriptOf(redis, 'budget/change-holds');
  let turn: Promise<unknown> = Promise.resolve();

  async function read(): Promise<Read> {
    const [now, flat] = (await readScript([keys.holds], [])) as [number, string[]];
    const knowledge: Knowledge = { holds: {}, suspicions: {}, worked: {} };
    let version = '0';
    for (let index = 0; index < flat.length; index += 2) {
      const [field = '', value = ''] = [flat[index], flat[index + 1]];
      const member = MEMBERS[field[0] as keyof typeof MEMBERS] as keyof Knowledge | undefined;
      if (field === 'v') version = value;
      else if (member) knowledge[member][field.slice(2)] = JSON.parse(value) as never;
    }
    return { knowledge, version, now };
  }

  /** One change at a time within a process: only other processes can be faster. */
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
    judge: (evidence) => change(({ knowledge, now }) => judge(knowledge, evidence, now, holdProbeMs)),
    giveBack: async (deliveryId) => {
      await change(({ knowledge, now }) => ({ knowledge: giveBack(knowledge, deliveryId, now) }));
    },
    list: async () => {
      const { knowledge, now } = await read();
      return Object.values(knowledge.holds).filter((hold) => !isForgotten(hold, now));
    },
    countParked: async () => {
      const sets = (await redis.smembers(keys.parkedSets)) as HoldKey[];
      const counts = await Promise.all(sets.map((set) => redis.zcard(keys.parked(set))));
      return Object.fromEntries(sets.map((set, index) => [set, counts[index] ?? 0]));
    },
  };
}

/** Fields that differ, with their new values; empty where a field is to go. */
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

/** Half a surrogate pair, as Graph may say it or a text cut short ends in, is JSON that Redis's scripts cannot read. */
const toJson = (value: unknown): string =>
  JSON.stringify(value, (_name, member: unknown) => (typeof member === 'string' ? member.toWellFormed() : member));

// Where everything of one tenant lives in Redis: one hash slot, whatever the topology.
import { RANKS } from '../../domain/order.ts';

export type Keys = {
  /** Prefix of BullMQ's own keys. */
  root: string;
  /** A delivery's record. Ids have 23 characters, so none is another key's name. */
  delivery: (id: string) => string;
  /** Ids of deliveries that have no BullMQ job yet: one waiting list for each rank, oldest first. */
  waitingLists: readonly string[];
  /** Ids of promoted deliveries that have not ended and are not parked, by instant of acceptance: each has a BullMQ job, is put off, or gets a job from the sweep. */
  promoted: string;
  /** Of the promoted ones, those that wait for their next attempt, by when it is due on Redis's clock. */
  putOff: string;
  /** Of the promoted ones, those that were tried before, or probe a configuration's hold, and have no attempt under way. */
  retrying: string;
  /** What is known of the way to Graph: holds (`h:`), suspicions (`s:`), what worked when (`w:`), and the version of it all (`v`). */
  holds: string;
  /** Holds of configurations by when their next probe may be chosen. */
  probes: string;
  /** Parked ids by instant of acceptance, for each hold of a configuration: out of the way, without a job. */
  parked: (hold: string) => string;
  /** Which of these there are. */
  parkedSets: string;
  /** Which of these belong to holds that ended, and go back to the waiting lists. */
  released: string;
  /** Ids of dead letters, by the instant of death. */
  dead: string;
  /** Ids of deliveries that ended, newest first, a few. */
  ended: string;
  /** How many deliveries have each status, how many bytes the open ones take, and how many joined and left each waiting list. */
  counts: string;
  /** The deliveries of a device and configuration that compete, by when their runs were completed. */
  contestants: (supersessionKey: string) => string;
  /** Which delivery a record in Graph belongs to. */
  record: (deviceRunStateId: string) => string;
  /** What was seen of the tenant's Graph and when, and of which Graph and tenant that is. */
  facts: string;
  budget: string;
  /** The secret that fingerprints are made with, sealed under each key of the environment. */
  fingerprintSecrets: string;
};

export const QUEUE_NAME = 'deliveries';

/** A key in the slot of another one, and below the same root. */
export const besideKey = (key: string, name: string): string => `${key.slice(0, key.indexOf('}') + 1)}:${name}`;

/** The braces make a Redis Cluster keep all of it in one slot, which scripts over several keys need. */
export function createKeys(prefix: string, tenantId: string): Keys {
  const root = `${prefix}:{${tenantId}}`;
  return {
    root,
    delivery: (id) => `${root}:${id}`,
    waitingLists: RANKS.map((rank) => `${root}:line:${rank}`),
    promoted: `${root}:in-work`,
    putOff: `${root}:put-off`,
    retrying: `${root}:retrying`,
    holds: `${root}:holds`,
    probes: `${root}:probes`,
    parked: (hold) => `${root}:parked:${hold}`,
    parkedSets: `${root}:parked-sets`,
    released: `${root}:released`,
    dead: `${root}:dead`,
    ended: `${root}:ended`,
    counts: `${root}:counts`,
    contestants: (supersessionKey) => `${root}:c:${supersessionKey}`,
    record: (deviceRunStateId) => `${root}:r:${deviceRunStateId}`,
    facts: `${root}:facts`,
    budget: `${root}:budget`,
    fingerprintSecrets: `${root}:fingerprint-secrets`,
  };
}

// The Redis keys of one tenant, all in one hash slot, so that they work in any topology.
import { RANKS } from '../../domain/priority.ts';

export type Keys = {
  /** Prefix of all keys. */
  root: string;
  /** A delivery's record. Ids have 23 characters, so none equals the name of another key. */
  delivery: (id: string) => string;
  /** Ids of deliveries without a BullMQ job yet: one waiting list per rank, oldest first. */
  waitingLists: readonly string[];
  /** Promoted ids, neither ended nor parked, by instant of acceptance: each has a job, is put off, or is given one by the sweep. */
  promoted: string;
  /** Promoted ids waiting for their next attempt, by when it is due on Redis's clock. */
  putOff: string;
  /** Promoted ids that are retries or probes without an attempt in progress. */
  retrying: string;
  /** Holds (`h:`), suspicions (`s:`), when operations last worked (`w:`), and a version for compare-and-set (`v`). */
  holds: string;
  /** Configuration holds, by when their next probe may be chosen. */
  probes: string;
  /** Parked ids of each configuration hold, by instant of acceptance; they have no job. */
  parked: (hold: string) => string;
  /** The holds that have parked ids. */
  parkedSets: string;
  /** The holds that ended and whose parked ids return to the waiting lists. */
  released: string;
  /** Ids of dead letters, by the instant of death. */
  dead: string;
  /** Ids of deliveries that ended recently, newest first. */
  ended: string;
  /** The keys of the configurations that have a summary of a day. */
  summarised: (day: number) => string;
  /** What became of what was accepted on a day for one configuration. */
  summary: (day: number, configurationKey: string) => string;
  /** Number of deliveries per status, the `format` that has to be read, bytes of open ones, the running replay (`replaying`), and how many joined and left each waiting list. */
  counts: string;
  /** The deliveries of one device and configuration, by when their runs completed. */
  supersession: (supersessionKey: string) => string;
  /** The delivery that owns a record in Graph. */
  record: (deviceRunStateId: string) => string;
  /** Devices by when they reported last, for one configuration if its key is given; `lua/includes/devices/reports.lua` has the rest. */
  reported: (configuration?: string) => string;
  /** The last run results of each device, by its key. */
  reports: string;
  /** Facts about the tenant's Graph with their times, and which Graph and tenant they concern. */
  facts: string;
  budget: string;
  /** The secret for fingerprints, sealed under each configured key. */
  fingerprintSecrets: string;
  directory: DirectoryKeys;
  /** Ids of replays at a rate, by when they were started. */
  replays: string;
  replay: (id: string) => ReplayKeys;
  /** Devices that operators revoked, by when. */
  revoked: string;
  /** How far the tenant's move to another Redis, or from one, has got. */
  move: string;
  /** Exists while a run works on the move. */
  moveLock: string;
  /** What became of earlier moves, by their ids: see `PastMove`. */
  pastMoves: string;
};

/** One replay at a rate. */
export type ReplayKeys = {
  /** What the key of every replay begins with. */
  prefix: string;
  replay: string;
  /** Its dead letters that nobody has claimed yet, by instant of death. */
  left: string;
  /** Those a process has claimed and not yet replayed. */
  claimed: string;
};

/** What is remembered of the Entra device directory. */
export type DirectoryKeys = {
  /** What the directory said, by device. */
  devices: string;
  /** Ids the directory does not have, by when it was asked. */
  unknown: string;
  /** Devices that an operator had forgotten lately, by when: older answers about them do not count. */
  forgotten: string;
  /** Why the directory is not asked at present. */
  hold: string;
  /** Exists while the directory said not to ask. */
  throttle: string;
  /** Ids whose questions failed since one was last answered. */
  suspects: string;
  /** Exists while a worker answers questions. */
  reader: string;
};

/** Questions to the device directory. */
export const QUESTION_QUEUE_NAME = 'questions';

/** Announcements to operators that are to be sent. */
export const ANNOUNCEMENT_QUEUE_NAME = 'announcements';

/** The keys of announcements to operators, of all tenants: they may be sent together. */
export type AnnouncementKeys = {
  /** Prefix of BullMQ's own keys. */
  root: string;
  /** What operators were told, by tenant; about the whole service under ''. */
  announced: string;
  /** Announcements that are to be sent, oldest first. */
  pending: string;
  /** Since when some wait (`since`), the batch that is being queued (`batch`, `size`), the allowance (`left`, `at`), and how many of a type were not kept (`lost:`). */
  rounds: string;
  /** Exists while a process has looked at all tenants lately. */
  turn: string;
  /** The same for what only processes that accept submissions know. */
  backlogTurn: string;
};

/** No tenant has this id, which has a character that ids do not have. */
const ANNOUNCEMENT_SLOT = '_announcements';

export function createAnnouncementKeys(prefix: string): AnnouncementKeys {
  const root = `${prefix}:{${ANNOUNCEMENT_SLOT}}`;
  return {
    root,
    announced: `${root}:announced`,
    pending: `${root}:pending`,
    rounds: `${root}:rounds`,
    turn: `${root}:turn`,
    backlogTurn: `${root}:backlog-turn`,
  };
}

/** A key in the same slot and under the same root as another one. */
export const besideKey = (key: string, name: string): string => `${key.slice(0, key.indexOf('}') + 1)}:${name}`;

/** Prefix of the keys of the queue that all tenants share. No tenant's id has an underscore. */
export const createJobsRoot = (prefix: string): string => `${prefix}:{_jobs}`;

/** The braces keep all keys in one slot of a Redis Cluster, as required by scripts with several keys. */
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
    summarised: (day) => `${root}:sum:${day}`,
    summary: (day, configurationKey) => `${root}:sum:${day}:${configurationKey}`,
    counts: `${root}:counts`,
    supersession: (supersessionKey) => `${root}:c:${supersessionKey}`,
    record: (deviceRunStateId) => `${root}:r:${deviceRunStateId}`,
    reports: `${root}:dv:reports`,
    reported: (configuration) => `${root}:dv:reported${configuration === undefined ? '' : `:${configuration}`}`,
    facts: `${root}:facts`,
    budget: `${root}:budget`,
    fingerprintSecrets: `${root}:fingerprint-secrets`,
    directory: {
      devices: `${root}:devices`,
      unknown: `${root}:unknown-devices`,
      forgotten: `${root}:forgotten-devices`,
      hold: `${root}:directory-hold`,
      throttle: `${root}:directory-throttle`,
      suspects: `${root}:directory-suspects`,
      reader: `${root}:directory-reader`,
    },
    replays: `${root}:replays`,
    replay: (id) => {
      const prefix = `${root}:replay:`;
      const replay = `${prefix}${id}`;
      return { prefix, replay, left: `${replay}:left`, claimed: `${replay}:claimed` };
    },
    revoked: `${root}:revoked`,
    move: `${root}:move`,
    moveLock: `${root}:move-lock`,
    pastMoves: `${root}:past-moves`,
  };
}

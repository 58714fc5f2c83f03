// Where everything of one tenant lives in Redis: one hash slot, whatever the topology.

export type Keys = {
  /** Prefix of BullMQ's own keys. */
  root: string;
  delivery: (id: string) => string;
  /** Ids of deliveries that have not ended, by the instant of acceptance. */
  open: string;
  /** Ids of dead letters, by the instant of death. */
  dead: string;
  /** How many deliveries have each status. */
  counts: string;
  /** Which delivery a record in Graph belongs to. */
  record: (deviceRunStateId: string) => string;
  budget: string;
};

export const QUEUE_NAME = 'deliveries';

/** The braces make a Redis Cluster keep all of it in one slot, which scripts over several keys need. */
export function createKeys(prefix: string, tenantId: string): Keys {
  const root = `${prefix}:{${tenantId}}`;
  return {
    root,
    delivery: (id) => `${root}:delivery:${id}`,
    open: `${root}:open`,
    dead: `${root}:dead`,
    counts: `${root}:counts`,
    record: (deviceRunStateId) => `${root}:record:${deviceRunStateId}`,
    budget: `${root}:budget`,
  };
}

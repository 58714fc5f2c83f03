// The contestants: what is started for each, and what is sent to it.

export type Contestant = {
  name: string;
  /** Relative to the repository's root. */
  main: string;
  signed: boolean;
  perBatch: number | null;
  lanes: number;
  /** Run results per round, and during warm-up. */
  results: number;
  warmUp: number;
};

const single = { perBatch: null, lanes: 64, results: 24_000, warmUp: 16_000 };

export const OURS: Contestant = { ...single, name: 'runstate-bridge, single', main: 'src/main.ts', signed: true };
export const BATCH: Contestant = {
  ...OURS,
  name: 'runstate-bridge, batches of 500',
  perBatch: 500,
  lanes: 4,
  results: 60_000,
  warmUp: 16_000,
};
export const PLAIN: Contestant = {
  ...single,
  name: '(a) Express + queue.add',
  main: 'bench/ingest/express-bullmq.ts',
  signed: false,
};
export const VERIFIED: Contestant = {
  ...single,
  name: '(a′) the same, verified',
  main: 'bench/ingest/verified-bullmq.ts',
  signed: true,
};
export const FASTIFY: Contestant = {
  ...single,
  name: '(b) Fastify + queue.add',
  main: 'bench/ingest/fastify-bullmq.ts',
  signed: false,
};
export const FLOOR: Contestant = {
  ...single,
  name: '(c) node:http + XADD',
  main: 'bench/ingest/floor.ts',
  signed: false,
};

export const CONTESTANTS = [OURS, BATCH, PLAIN, VERIFIED, FASTIFY, FLOOR];

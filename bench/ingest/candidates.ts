// The candidates: what is started for each, and what is sent to it.

export type Candidate = {
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

export const OURS: Candidate = { ...single, name: 'runstate-bridge, single', main: 'src/main.ts', signed: true };
export const BATCH: Candidate = {
  ...OURS,
  name: 'runstate-bridge, batches of 500',
  perBatch: 500,
  lanes: 4,
  results: 60_000,
  warmUp: 16_000,
};
export const PLAIN: Candidate = {
  ...single,
  name: '(a) Express + queue.add',
  main: 'bench/ingest/express-bullmq.ts',
  signed: false,
};
export const VERIFIED: Candidate = {
  ...single,
  name: '(a′) the same, verified',
  main: 'bench/ingest/verified-bullmq.ts',
  signed: true,
};
export const FASTIFY: Candidate = {
  ...single,
  name: '(b) Fastify + queue.add',
  main: 'bench/ingest/fastify-bullmq.ts',
  signed: false,
};
export const FLOOR: Candidate = {
  ...single,
  name: '(c) node:http + XADD',
  main: 'bench/ingest/floor.ts',
  signed: false,
};

export const CANDIDATES = [OURS, BATCH, PLAIN, VERIFIED, FASTIFY, FLOOR];

// The hostile campaign: a real API process with a Redis of its own, case upon case from a seed, and a judgement.
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { createRandom, pick } from '../../src/sandbox/random.ts';
import { GROUP_KEY } from '../support/device.ts';
import { freePort } from '../support/graph.ts';
import { startProcess } from '../support/process.ts';
import { startTestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { again } from './again.ts';
import { batchCodings } from './batch-codings.ts';
import { MOST_BATCH_BYTES } from './batch.ts';
import { batches } from './batches.ts';
import { flippedBytes, otherBody, splicedMembers } from './bodies.ts';
import type { Case, Dice, Family } from './case.ts';
import { chunks } from './chunks.ts';
import { fields } from './fields.ts';
import { framing } from './framing.ts';
import { lengths } from './lengths.ts';
import { OPERATOR_TOKEN, operators } from './operators.ts';
import { paths } from './paths.ts';
import { createPlayer, type Promised } from './play.ts';
import { signatures } from './signatures.ts';
import { beSlow } from './slow.ts';
import { walk } from './stored.ts';
import { goodBody, oddInstants, writtenOtherwise, wrongMembers } from './values.ts';

export type CampaignOptions = {
  cases: number;
  seed: number;
  /** Plays this one alone. */
  only?: number;
  /** Senders who take their time, beside the others. */
  slow: number;
  onBatch?: (told: { played: number; violations: number; rssMb: number }) => void;
};

export type CampaignReport = {
  played: number;
  seconds: number;
  violations: string[];
  families: Record<string, number>;
  answers: Record<string, number>;
  records: number;
  slow: number;
  warmRssMb: number;
  rssMb: number;
};

const FAMILIES = [
  goodBody,
  wrongMembers,
  writtenOtherwise,
  oddInstants,
  splicedMembers,
  otherBody,
  flippedBytes,
  framing,
  lengths,
  chunks,
  paths,
  fields,
  signatures,
  again,
  operators,
  batches,
  batches,
  batchCodings,
] as const satisfies readonly Family[];
const SENDERS = 24;
const BATCH = 1000;
const START_WITHIN_MS = 20_000;
const MOST_VIOLATIONS = 200;
/** Of the cases, before memory is looked at for the first time. */
const WARM_UP_SHARE = 0.2;
/** What a process may grow by once it is warm: its heap's breath, not what 100,000 requests would leave. */
const GROWTH_MB = 48;
/** A leak that the memory's size does not show soon enough ends here. */
const HEAP = '--max-old-space-size=96 --max-semi-space-size=8';

/** The case of a number under a seed: the same whatever was played before it. */
export function createCase(seed: number, number: number, nowS: number): Case {
  const random = createRandom(Math.imul(seed, 0x9e3779b1) ^ Math.imul(number, 0x85ebca6b));
  const dice: Dice = { random, id: `${seed}-${number}`, nowS };
  return pick(random, FAMILIES)(dice);
}

export async function runCampaign({ cases, seed, only, slow, onBatch }: CampaignOptions): Promise<CampaignReport> {
  const startedAt = performance.now();
  await using stage = await openStage();
  const { port, pid, lines } = stage;
  const promised: Promised = { stored: new Map(), possible: new Map() };
  const players = Array.from({ length: SENDERS }, () => createPlayer(port, promised));
  const violations: string[] = [];
  const families: Record<string, number> = {};
  let number = only ?? 0;
  const last = only === undefined ? cases : only + 1;
  let warmRssMb = 0;

  const slowOnes = Array.from({ length: slow }, (_, at) =>
    beSlow(port, { random: createRandom(seed + at), id: `slow-${at}`, nowS: 0 }),
  );
  while (number < last && violations.length < MOST_VIOLATIONS) {
    const end = Math.min(last, number + BATCH);
    await Promise.all(
      players.map(async (player) => {
        while (number < end) {
          const mine = number++;
          const one = createCase(seed, mine, Math.floor(Date.now() / 1000));
          families[`${one.family} · ${one.name}`] = (families[`${one.family} · ${one.name}`] ?? 0) + 1;
          const faults = await player.play(one);
          violations.push(...faults.map((fault) => `case ${mine} · ${one.family} · ${one.name}: ${fault}`));
        }
      }),
    );
    violations.push(...(await stillServes(players[0], `alive-${seed}-${number}`)));
    if (warmRssMb === 0 && number >= last * WARM_UP_SHARE) warmRssMb = rssMb(pid);
    onBatch?.({ played: number, violations: violations.length, rssMb: rssMb(pid) });
  }
  violations.push(...(await Promise.all(slowOnes)).flat());
  for (const player of players) player.close();
  await delay(1000);
  const walked = await walk(stage.env, promised);
  violations.push(...walked.violations, ...defects(lines));
  const finalRssMb = rssMb(pid);
  if (finalRssMb > warmRssMb + GROWTH_MB) violations.push(`the API grew from ${warmRssMb} to ${finalRssMb} MB`);
  return {
    played: number - (only ?? 0),
    seconds: (performance.now() - startedAt) / 1000,
    violations,
    families,
    answers: sum(players.map(({ answers }) => answers)),
    records: walked.records,
    slow,
    warmRssMb,
    rssMb: finalRssMb,
  };
}

async function openStage() {
  // What is asked here is what is stored, not how durably.
  const redis = await startTestRedis('--appendfsync', 'no');
  const env = {
    REDIS_URL: redis.url,
    DEVICE_GROUP_KEYS: GROUP_KEY,
    OPERATOR_TOKEN,
    HOST: '127.0.0.1',
    PORT: String(await freePort()),
    // A line for every request would fill the campaign's own memory.
    LOG_LEVEL: 'warn',
    DEVICE_RATE_PER_MIN: '0',
    MAX_BATCH_BYTES: String(MOST_BATCH_BYTES),
    MAX_BACKLOG_BYTES: '10000000000',
    MAX_BACKLOG_AGE_H: '87600',
  };
  const api = startProcess('src/main.ts', { ...env, NODE_OPTIONS: HEAP });
  const url = `http://127.0.0.1:${env.PORT}/readyz`;
  const close = async () => {
    await api.close();
    await redis.close();
  };
  try {
    await until('the API is ready', async () => (await fetch(url).catch(() => null))?.ok, START_WITHIN_MS);
  } catch (error) {
    await close();
    throw new Error(`the API does not start: ${api.stdout()}${api.stderr()}`, { cause: error });
  }
  return {
    env,
    port: Number(env.PORT),
    pid: api.pid,
    lines: api.lines,
    [Symbol.asyncDispose]: close,
  };
}

/** A good submission gets its receipt, whatever was sent before. */
async function stillServes(player: ReturnType<typeof createPlayer> | undefined, id: string): Promise<string[]> {
  const one = goodBody({ random: createRandom(1), id, nowS: Math.floor(Date.now() / 1000) });
  const faults = (await player?.play(one)) ?? ['no sender'];
  return faults.map((fault) => `no longer serves: ${fault}`);
}

const defects = (lines: readonly { level: number | string; msg: string }[]) =>
  lines
    .filter(({ level, msg }) => level === 'error' || level === 'fatal' || msg.startsWith('defect'))
    .map((line) => `logged: ${JSON.stringify(line).slice(0, 600)}`);

function rssMb(pid: number): number {
  const kb = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kb) / 1024);
}

function sum(tallies: readonly ReadonlyMap<string, number>[]): Record<string, number> {
  const all: Record<string, number> = {};
  for (const tally of tallies) for (const [what, times] of tally) all[what] = (all[what] ?? 0) + times;
  return all;
}

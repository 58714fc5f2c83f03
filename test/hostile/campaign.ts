// The hostile campaign: a real API process with its own Redis, cases generated from a seed, and the verdict.
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { createRandom, pick } from '../../src/sandbox/random.ts';
import { again } from './again.ts';
import { batchCodings } from './batch-codings.ts';
import { batches } from './batches.ts';
import { flippedBytes, otherBody, splicedMembers } from './bodies.ts';
import type { Case, Dice, Family } from './case.ts';
import { certificates } from './certificates.ts';
import { chunks } from './chunks.ts';
import { fields } from './fields.ts';
import { framing } from './framing.ts';
import { lengths } from './lengths.ts';
import { hangUps, sweep } from './hang-ups.ts';
import { operators } from './operators.ts';
import { paths } from './paths.ts';
import { allow, createPlayer, type Promised } from './play.ts';
import { signatures } from './signatures.ts';
import { beSlow } from './slow.ts';
import { tenants } from './tenants.ts';
import { openStage } from './stage.ts';
import { checkStored } from './stored.ts';
import { goodBody, oddInstants, writtenOtherwise, wrongMembers } from './values.ts';

export type CampaignOptions = {
  cases: number;
  seed: number;
  /** Plays nothing but requests signed with certificates. */
  certificatesOnly?: boolean;
  /** Plays this one alone. */
  only?: number;
  /** Senders who take their time, beside the others. */
  slow: number;
  /** First of all every kind of request is hung up in at every byte, or at each of this distance. Unset: not at all. */
  hangUpEvery?: number;
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
  hungUp: number;
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
  certificates,
  again,
  operators,
  tenants,
  batches,
  batches,
  batchCodings,
  hangUps,
] as const satisfies readonly Family[];
const SENDERS = 24;
const BATCH = 1000;
const MOST_VIOLATIONS = 200;
/** Of the cases, before memory is looked at for the first time. */
const WARM_UP_SHARE = 0.2;
/** What a process may grow by once it is warm: its heap's breath, not what 100,000 requests would leave. */
const GROWTH_MB = 48;

type CaseSettings = { seed: number; number: number; nowS: number; certificatesOnly?: boolean | undefined };

/** The case of a number under a seed: the same whatever was played before it. */
export function createCase({ seed, number, nowS, certificatesOnly = false }: CaseSettings): Case {
  const random = createRandom(Math.imul(seed, 0x9e3779b1) ^ Math.imul(number, 0x85ebca6b));
  const dice: Dice = { random, id: `${seed}-${number}`, nowS };
  return (certificatesOnly ? certificates : pick(random, FAMILIES))(dice);
}

export async function runCampaign(options: CampaignOptions): Promise<CampaignReport> {
  const { cases, seed, only, slow, hangUpEvery, certificatesOnly, onBatch } = options;
  const startedAt = performance.now();
  await using stage = await openStage();
  const { port, doors, pid } = stage;
  const promised: Promised = { stored: new Map(), possible: new Map() };
  const players = Array.from({ length: SENDERS }, () => createPlayer(doors, promised));
  const violations: string[] = [];
  const families: Record<string, number> = {};
  let number = only ?? 0;
  const last = only === undefined ? cases : only + 1;
  let warmRssMb = 0;

  const slowOnes = Array.from({ length: slow }, (_, at) =>
    beSlow(port, { random: createRandom(seed + at), id: `slow-${at}`, nowS: 0 }),
  );
  const nowS = Math.floor(Date.now() / 1000);
  const hungUp =
    hangUpEvery === undefined
      ? 0
      : await sweep(doors, { step: hangUpEvery, nowS, onSent: (run) => allow(promised, run) });
  while (number < last && violations.length < MOST_VIOLATIONS) {
    const end = Math.min(last, number + BATCH);
    await Promise.all(
      players.map(async (player) => {
        while (number < end) {
          const mine = number++;
          const one = createCase({ seed, number: mine, nowS: Math.floor(Date.now() / 1000), certificatesOnly });
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
  const checked = await checkStored(stage.env, promised);
  violations.push(...checked.violations, ...defects(stage.lines()), ...stage.ended());
  const finalRssMb = rssMb(pid);
  if (finalRssMb > warmRssMb + GROWTH_MB) violations.push(`the API grew from ${warmRssMb} to ${finalRssMb} MB`);
  return {
    played: number - (only ?? 0),
    seconds: (performance.now() - startedAt) / 1000,
    violations,
    families,
    answers: sum(players.map(({ answers }) => answers)),
    records: checked.records,
    slow,
    hungUp,
    warmRssMb,
    rssMb: finalRssMb,
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

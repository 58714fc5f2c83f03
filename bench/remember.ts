// Measures what is left of delivered runs once their details are dropped: bytes each, a lookup, and what acceptance pays for it.
import { randomBytes, randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import type { RunResult } from '../src/domain/submission/run-result.ts';
import { LUA_FILES } from '../src/queue/lua/assemble.ts';
import { startTestRedis } from '../test/support/redis.ts';
import { openTestTenant } from '../test/support/tenant.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '1000000' },
  },
});
const most = Number(values.runs);

const WINDOW_MS = 168 * 3_600_000;
/** As many as there ever are at once. */
const GENERATIONS = 3;
/** An age at which the next one is begun. */
const GENERATION_MS = WINDOW_MS / 2 + 60_000;
const COMPACTED_AT_ONCE = 200;
const ACCEPTED_AT_ONCE = 100;
const LOOKUPS = 20_000;
/** A busy machine makes some of them slow. */
const ROUNDS = 20;

/** Stores what a delivered run leaves, as `store/save-delivery` does. ARGV: root, window, then four arguments for each run. */
const FILL = `local ROOT = ARGV[1]
${['bytes', 'table', 'entries', 'compact'].map((part) => LUA_FILES.get(`includes/compacted/${part}`) ?? '').join('\n')}
for at = 3, #ARGV, 4 do
  compact({
    id = ARGV[at], identity = '2.' .. ARGV[at + 1] .. ' device run', acceptedAt = 1764000000000 + at,
    deliveredAt = 1764000100000 + at, deviceTag = ARGV[at + 2], claimHash = ARGV[at + 3], created = '1',
  }, ARGV[2])
end`.replaceAll(/^--- @include .*\n/gm, '');

const redis = await startTestRedis('--appendonly', 'no');
const tenant = await openTestTenant(redis, { dedupeWindowMs: WINDOW_MS, deliveredKeptMs: 1, writesPer20s: 100 });
const { client } = redis;
const { root } = tenant.keys;
try {
  await accept(2000);
  await timeAcceptance('none');
  const startBytes = await usedMemory();
  const known: string[] = [];
  let filled = 0;
  for (const part of [most / 100, most / 10, most]) {
    const us = await usPerCall(() => fill(part, known), part - filled);
    filled = part;
    await weigh(part, startBytes, us);
  }
  const unknown = Array.from({ length: LOOKUPS }, deliveryId);
  for (const [what, ids] of [
    ['a compacted run', known.slice(-LOOKUPS)],
    ['an unknown one', unknown],
  ] as const) {
    const found: unknown[] = [];
    const us = await medianUs(
      Array.from({ length: ROUNDS }, (_, round) => ids.slice(round * 1000, (round + 1) * 1000)),
      async (some) => void found.push(...(await lookUp(some))),
    );
    const count = found.filter((one) => one !== null).length;
    say(`looking for ${what} takes ${us.toFixed(1)} µs of Redis; ${count} of ${ids.length} found`);
  }
  await timeAcceptance(String(filled));
} finally {
  await tenant.close();
  await redis.close();
}

/** Until there are so many, evenly over the generations. */
async function fill(until: number, known: string[]): Promise<void> {
  for (let count = Number(await client.get('bench:filled')); count < until; count += COMPACTED_AT_ONCE) {
    if (count % (most / GENERATIONS) < COMPACTED_AT_ONCE && count > 0) await endGeneration();
    const ids = Array.from({ length: COMPACTED_AT_ONCE }, deliveryId);
    if (known.length < LOOKUPS || count % 10_000 === 0) known.push(...ids);
    const args = ids.flatMap((id) => [id, text(20).slice(0, 26), text(8), text(8)]);
    await client.call('EVAL', FILL, 1, root, root, WINDOW_MS, ...args);
    await client.set('bench:filled', count + COMPACTED_AT_ONCE);
  }
}

/** As if its time had passed. */
async function endGeneration(): Promise<void> {
  const generations = await client.hgetall(`${root}:m`);
  for (const [number, state] of Object.entries(generations)) {
    const [buckets, entries, expiresAt] = state.split(' ');
    await client.hset(`${root}:m`, number, `${buckets} ${entries} ${Number(expiresAt) - GENERATION_MS}`);
  }
}

async function weigh(count: number, startBytes: number, us: number): Promise<void> {
  const bytes = ((await usedMemory()) - startBytes) / count;
  const generations = Object.values(await client.hgetall(`${root}:m`)).map((state) => state.split(' ').map(Number));
  const buckets = generations.reduce((sum, [own = 0]) => sum + own, 0);
  const encodings = await Promise.all(
    Array.from({ length: 2000 }, async () => {
      const [number, at] = [Math.floor(Math.random() * generations.length) + 1, Math.random()];
      const own = Number((await client.hget(`${root}:m`, String(number)))?.split(' ')[0]);
      return client.object('ENCODING', `${root}:m:${number}:${Math.floor(at * own)}`);
    }),
  );
  const large = encodings.filter((encoding) => encoding === 'hashtable').length;
  say(
    `${count} runs: ${bytes.toFixed(1)} bytes each in ${buckets} buckets of ${generations.length} generations, ${large} of 2000 too large; ${us.toFixed(1)} µs to store one`,
  );
}

async function accept(count: number): Promise<void> {
  for (let first = 0; first < count; first += ACCEPTED_AT_ONCE)
    await Promise.all(Array.from({ length: ACCEPTED_AT_ONCE }, () => tenant.deliveries.accept(aRun(), Date.now())));
}

function aRun(): RunResult {
  return {
    runId: randomUUID(),
    deviceId: `BER-LAT-${Math.floor(Math.random() * 100_000)}`,
    hardwareConfigurationId: '1d5c8a52-7e0f-4f1b-9a6d-3c2b1e0f9a81',
    deviceName: 'BER-LAT',
    policyVersion: 4,
    completedAt: '2026-11-23T10:00:00.1234567+01:00',
    exitCode: 0,
    output: text(375),
  };
}

async function lookUp(ids: readonly string[]): Promise<unknown[]> {
  const found: unknown[] = [];
  for (let first = 0; first < ids.length; first += COMPACTED_AT_ONCE)
    found.push(
      ...(await Promise.all(ids.slice(first, first + COMPACTED_AT_ONCE).map(tenant.deliveries.findCompacted))),
    );
  return found;
}

async function timeAcceptance(compacted: string): Promise<void> {
  const us = await medianUs(
    Array.from({ length: ROUNDS }, () => 1000),
    accept,
  );
  say(`accepting a new run takes ${us.toFixed(1)} µs of Redis with ${compacted} compacted`);
}

/** The median over the rounds, each of which is about a thousand. */
async function medianUs<T>(rounds: readonly T[], act: (round: T) => Promise<void>): Promise<number> {
  const took: number[] = [];
  for (const round of rounds) took.push(await usPerCall(() => act(round), 1000));
  return took.sort((a, b) => a - b)[Math.floor(took.length / 2)] ?? 0;
}

/** What Redis's main thread needed of the processor, for each of so many. */
async function usPerCall(act: () => Promise<void>, per: number): Promise<number> {
  const before = await cpuUs();
  await act();
  return ((await cpuUs()) - before) / per;
}

async function cpuUs(): Promise<number> {
  const info = await client.info('cpu');
  const seconds = ['user', 'sys'].map((kind) =>
    Number(new RegExp(`^used_cpu_${kind}_main_thread:(.*)`, 'm').exec(info)?.[1]),
  );
  return seconds.reduce((sum, one) => sum + one, 0) * 1e6;
}

async function usedMemory(): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await client.info('memory'))?.[1]);
}

function text(bytes: number): string {
  return randomBytes(bytes).toString('base64url');
}

function deliveryId(): string {
  return `d${text(16)}`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

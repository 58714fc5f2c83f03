// One run: a tenant is moved under load while the command and a worker are killed at random, and an oracle judges.
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { createRandom } from '../../src/sandbox/random.ts';
import { openSandbox } from '../chaos/stand-in-graph.ts';
import { judgeAll } from '../rolling/judge-all.ts';
import { startLoad, type Load } from '../rolling/load.ts';
import { createOperator } from '../rolling/operator.ts';
import { until } from '../support/until.ts';
import { moveWithKills, prepare } from './mover.ts';
import { openSingle, openTarget, startService, type Running, type TargetKind } from './service.ts';

export type MovingOptions = { seed: number; to: TargetKind; perSecond: number; kills: number };

export type MovingReport = {
  seed: number;
  to: TargetKind;
  /** Runs of the command, how many of them were killed, and after how many of those the move was given up, to be begun anew. */
  runs: number;
  killed: number;
  cancelled: number;
  workersKilled: number;
  requests: number;
  refusedFor503: number;
  obligations: number;
  delivered: number;
  dead: number;
  superseded: number;
  /** For how long the command says that submissions were refused. */
  refusedForS: number | null;
  seconds: number;
  violations: string[];
};

const SUBMISSIONS_BEFORE = 30;
const SUBMISSIONS_AFTER = 30;
/** After a worker was killed it is away for as long. */
const WORKER_AWAY_MS = 500;
/** What piled up while it was closed is delivered by one worker. */
const QUIET_WITHIN_MS = 180_000;
const UNKNOWN_CONFIGURATION = '00000000-dead-4000-8000-000000000000';

export async function runOnce({ seed, to, perSecond, kills }: MovingOptions): Promise<MovingReport> {
  const startedAt = performance.now();
  const random = createRandom(seed);
  const groupKey = createHash('sha256').update(`moving ${seed}`).digest('base64');
  const operatorToken = createHash('sha256').update(`operator ${seed}`).digest('hex');
  const opened: { close: () => Promise<void> }[] = [];
  const keep = <T extends { close: () => Promise<void> }>(one: T): T => {
    opened.unshift(one);
    return one;
  };
  try {
    const graph = keep(await openSandbox(seed));
    // Some creates are written and answered with an error, or not at all.
    graph.moods(new Set());
    const [source, target] = [keep(await openSingle()), keep(await openTarget(to))];
    const options = { graph, groupKey, operatorToken };
    const before = keep(await startService(source, options));
    const urls = [before.url];
    const load = startLoad({
      ...{ urls: () => urls, groupKey, random: createRandom(~seed), perSecond },
      configurationId: graph.configurationIds[0] ?? '',
      unknownConfigurationId: UNKNOWN_CONFIGURATION,
    });
    await goesOn(load, SUBMISSIONS_BEFORE);
    const places = { from: source.url, to: target.url };
    const prepared = await prepare(places);
    const after = keep(await startService(target, options));
    urls.push(after.url);
    const killing = random() < 0.5 ? killWorker(before, random() * 3000) : Promise.resolve(0);
    const moved = await moveWithKills({ ...places, kills, random });
    const workersKilled = await killing;
    await goesOn(load, SUBMISSIONS_AFTER);
    const heard = await load.stop();
    const operator = createOperator(after.url, operatorToken);
    const judged = await judgeAll(heard, { operator, graph, quietWithinMs: QUIET_WITHIN_MS });
    return {
      ...{ seed, to, runs: moved.runs, killed: moved.killed, cancelled: moved.cancelled, workersKilled },
      requests: heard.requests,
      refusedFor503: heard.refusedFor503,
      ...judged,
      // A run that was killed after the end said nothing, and the next one not how long it was.
      refusedForS: toSeconds(/refused for ([\d.]+) s/.exec(moved.last.stdout)?.[1]),
      seconds: (performance.now() - startedAt) / 1000,
      violations: [
        ...[prepared, moved.last].flatMap(({ code, stderr }) =>
          code === 0 ? [] : [`move ended with ${String(code)}: ${stderr}`],
        ),
        ...heard.wrong,
        ...judged.violations,
        ...before.surprises(),
        ...after.surprises(),
      ],
    };
  } finally {
    for (const one of opened) await one.close();
  }
}

const toSeconds = (text: string | undefined) => (text === undefined ? null : Number(text));

async function killWorker(service: Running, afterMs: number): Promise<number> {
  await delay(afterMs);
  await service.killWorker();
  await delay(WORKER_AWAY_MS);
  await service.startWorker();
  return 1;
}

async function goesOn({ sent }: Load, submissions: number): Promise<void> {
  const before = sent();
  await until('the load goes on', () => sent() >= before + submissions, 60_000);
}

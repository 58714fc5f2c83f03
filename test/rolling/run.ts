// One run: processes of two versions replace each other one by one under load, there and back, and an oracle judges.
import { createHash } from 'node:crypto';
import { createRandom, pick, type Random } from '../../src/sandbox/random.ts';
import { openSandbox } from '../chaos/stand-in-graph.ts';
import { until } from '../support/until.ts';
import { judgeAll } from './judge-all.ts';
import { startLoad, type Load } from './load.ts';
import { createOperator } from './operator.ts';
import { openService, PARTIES } from './service.ts';

export type RollingOptions = {
  seed: number;
  /** Directories of the two versions. */
  older: string;
  newer: string;
  /** How often the version changes: 1 is an update, 2 also goes back. */
  changes: number;
  perSecond: number;
};

export type RollingReport = {
  seed: number;
  replaced: number;
  requests: number;
  refusedFor503: number;
  obligations: number;
  delivered: number;
  dead: number;
  superseded: number;
  replayed: number;
  seconds: number;
  violations: string[];
};

const DRAIN_MS = 1000;
/** Between two replacements everything flows for as many submissions. */
const SUBMISSIONS_BETWEEN = 15;
const QUIET_WITHIN_MS = 60_000;
const UNKNOWN_CONFIGURATION = '00000000-dead-4000-8000-000000000000';

export async function runOnce({ seed, older, newer, changes, perSecond }: RollingOptions): Promise<RollingReport> {
  const startedAt = performance.now();
  const random = createRandom(seed);
  const groupKey = createHash('sha256').update(`rolling ${seed}`).digest('base64');
  const operatorToken = createHash('sha256').update(`operator ${seed}`).digest('hex');
  const graph = await openSandbox(seed);
  const service = await openService(older, { graph, groupKey, operatorToken, drainMs: DRAIN_MS }).catch(
    async (error: unknown) => {
      await graph.close();
      throw error;
    },
  );
  try {
    const operator = createOperator(service.url, operatorToken);
    const load = startLoad({
      ...{ urls: () => [service.url], groupKey, random: createRandom(~seed), perSecond },
      configurationId: graph.configurationIds[0] ?? '',
      unknownConfigurationId: UNKNOWN_CONFIGURATION,
    });
    const flows = () => goesOn(load, SUBMISSIONS_BETWEEN);
    let [replaced, replayed] = [0, 0];
    await flows();
    for (let change = 1; change <= changes; change += 1) {
      for (const party of inAnyOrder(PARTIES, random)) {
        const order = pick(random, ['new first', 'old first'] as const);
        await service.replace(party, change % 2 === 1 ? newer : older, order);
        replaced += 1;
        await flows();
        replayed += await operator.replayAll();
      }
    }
    const heard = await load.stop();
    const judged = await judgeAll(heard, { operator, graph, quietWithinMs: QUIET_WITHIN_MS });
    return {
      ...{ seed, replaced, replayed, ...judged },
      requests: heard.requests,
      refusedFor503: heard.refusedFor503,
      seconds: (performance.now() - startedAt) / 1000,
      violations: [...heard.wrong, ...judged.violations, ...service.surprises()],
    };
  } finally {
    await service.close();
    await graph.close();
  }
}

async function goesOn({ sent }: Load, submissions: number): Promise<void> {
  const before = sent();
  await until('the load goes on', () => sent() >= before + submissions, 60_000);
}

function inAnyOrder<T>(items: readonly T[], random: Random): T[] {
  const left = [...items];
  return items.map(() => left.splice(Math.floor(random() * left.length), 1)[0] as T);
}

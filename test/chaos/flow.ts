// Whether fresh results come through at the end: at once where all is well, and with several tenants those of the others while one's Graph is in trouble.
import { setTimeout as delay } from 'node:timers/promises';
import { createRandom, pick, wholeNumber } from '../../src/sandbox/random.ts';
import type { Devices } from './fleet.ts';
import type { Answer } from './oracle.ts';
import type { Submission } from './plan.ts';
import { planRunResult } from './run-result.ts';
import type { Stage } from './stage.ts';

export type Flow = { answers: Answer[]; surprises: string[] };

type Asked = {
  crew: Devices;
  stage: Pick<Stage, 'begin' | 'end'>;
  seed: number;
  tenants: readonly string[];
  configurationId: string;
  now: number;
};

const FRESH_WITHIN_MS = 30_000;
/** None of a tenant's results comes through while these last. */
const TOTAL = ['graph-down', 'permission-taken', 'secret-revoked', 'token-endpoint-down'] as const;

export async function submitFresh({ crew, stage, seed, tenants, configurationId, now }: Asked): Promise<Flow> {
  const random = createRandom(~seed);
  const submitOne = async (tenant: string, number: number): Promise<Answer | undefined> => {
    const deviceId = 'fresh-device';
    const runResult = planRunResult({ random, number, deviceId, hardwareConfigurationId: configurationId, now });
    const submission: Submission = { at: 0, tenant, runResult, copies: 1, clockSkewS: 0, meaning: 'ordinary' };
    return (await crew.submit(submission, FRESH_WITHIN_MS))[0];
  };
  const isThrough = async (answer: Answer | undefined, withinMs: number): Promise<boolean> => {
    const giveUpAt = Date.now() + withinMs;
    while (answer && Date.now() < giveUpAt) {
      const device = { tenant: answer.submission.tenant, deviceId: answer.submission.runResult.deviceId };
      const read = await crew.read(device, answer.deliveryId ?? '');
      if (read.kind === 'found' && read.delivery.status === 'delivered') return true;
      await delay(100);
    }
    return false;
  };
  const flow: Flow = { answers: [], surprises: [] };
  const keep = (answer: Answer | undefined) => {
    if (answer) flow.answers.push(answer);
    return answer;
  };

  if (tenants.length > 1) {
    const troubled = tenants[wholeNumber(random, 0, tenants.length - 1)] ?? '';
    const kind = pick(random, TOTAL);
    const trouble = { at: 0, forMs: 0, kind, party: 'worker-1', tenant: troubled, configurationId: null } as const;
    await stage.begin(trouble);
    const held = keep(await submitOne(troubled, 1));
    for (const tenant of tenants.filter((other) => other !== troubled)) {
      const answer = keep(await submitOne(tenant, 1));
      if (!(await isThrough(answer, FRESH_WITHIN_MS))) {
        flow.surprises.push(`${tenant} does not flow while ${troubled} has ${kind}`);
      }
    }
    await stage.end(trouble);
    if (!(await isThrough(held, 2 * FRESH_WITHIN_MS))) flow.surprises.push(`${troubled} does not flow after ${kind}`);
  }
  for (const tenant of tenants) {
    const answer = keep(await submitOne(tenant, 2));
    if (!(await isThrough(answer, FRESH_WITHIN_MS))) {
      flow.surprises.push(`a fresh result${tenants.length > 1 ? ` of ${tenant}` : ''} does not come through`);
    }
  }
  return flow;
}

// Steady load: devices that submit, each retrying until it has its receipt; every answer on the way is noted.
import { Agent, request, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../../src/sandbox/random.ts';
import type { Answer } from '../chaos/oracle.ts';
import { ONLY_TENANT, type Submission } from '../chaos/plan.ts';
import { planRunResult, type SentRunResult } from '../chaos/run-result.ts';
import { sign } from '../support/device.ts';

export type LoadOptions = {
  /** Where the service is at present; each request goes to any of them. */
  urls: () => readonly string[];
  groupKey: string;
  random: Random;
  configurationId: string;
  /** Graph does not know it, so results that name it die. */
  unknownConfigurationId: string;
  perSecond: number;
};

/** What was answered how often; `wrong` are answers that an update may not cause. */
export type Heard = { answers: Answer[]; requests: number; refusedFor503: number; wrong: string[] };

export type Load = {
  /** Ends it once everything submitted so far is accepted. */
  stop: () => Promise<Heard>;
  sent: () => number;
};

const POISON_EVERY = 25;
/** The newer of two results of a device is sent first, so the older one is superseded as it arrives. */
const PAIR_EVERY = 10;
const AGAIN_AFTER_MS = 100;
const TRIES = 100;

export function startLoad(options: LoadOptions): Load {
  const { random, perSecond } = options;
  const heard: Heard = { answers: [], requests: 0, refusedFor503: 0, wrong: [] };
  // A load balancer's connections stay open, an agent's last for one request.
  const kept = new Agent({ keepAlive: true, maxSockets: 4 });
  const underWay = new Set<Promise<void>>();
  const stopping = new AbortController();
  let number = 0;

  async function submit(runResult: SentRunResult, meaning: Submission['meaning']): Promise<void> {
    const submission: Submission = { at: 0, tenant: ONLY_TENANT, runResult, copies: 1, clockSkewS: 0, meaning };
    const name = `${runResult.deviceId} ${runResult.runId}`;
    for (let tries = 1; tries <= TRIES; tries += 1) {
      heard.requests += 1;
      const urls = options.urls();
      const to = { url: urls[Math.floor(random() * urls.length)] ?? '', groupKey: options.groupKey };
      const answer = await post(runResult, to, number % 2 === 0 ? kept : false).catch(String);
      if (typeof answer === 'string') heard.wrong.push(`${name}: ${answer}`);
      else if (answer.status === 202 || answer.status === 200) {
        const { deliveryId } = JSON.parse(answer.body) as { deliveryId: string };
        heard.answers.push({ submission, clock: 'right', httpStatus: answer.status, deliveryId });
        return;
      } else if (answer.status === 503 && answer.retryAfter !== undefined) heard.refusedFor503 += 1;
      else heard.wrong.push(`${name}: ${answer.status} ${answer.body}`);
      await delay(AGAIN_AFTER_MS);
    }
    heard.wrong.push(`${name}: gave up`);
  }

  async function submitNext(): Promise<void> {
    const own = (number += 1);
    const isPoison = own % POISON_EVERY === 0;
    const hardwareConfigurationId = isPoison ? options.unknownConfigurationId : options.configurationId;
    const now = Date.now();
    const planned = { random, number: own, deviceId: `device-${own}`, hardwareConfigurationId, now };
    const runResult = planRunResult(planned);
    if (isPoison || own % PAIR_EVERY !== 0) return submit(runResult, isPoison ? 'poison' : 'ordinary');
    await submit({ ...runResult, completedAt: new Date(now).toISOString() }, 'ordinary');
    const older = { ...runResult, runId: `${runResult.runId}-older`, completedAt: new Date(now - 1000).toISOString() };
    return submit(older, 'ordinary');
  }

  const submitting = setInterval(() => {
    const submission = submitNext().finally(() => underWay.delete(submission));
    underWay.add(submission);
  }, 1000 / perSecond);
  stopping.signal.addEventListener('abort', () => clearInterval(submitting));

  return {
    sent: () => number,
    stop: async () => {
      stopping.abort();
      await Promise.all(underWay);
      kept.destroy();
      return heard;
    },
  };
}

async function post(
  runResult: SentRunResult,
  { url, groupKey }: { url: string; groupKey: string },
  agent: Agent | false,
) {
  const body = JSON.stringify(runResult);
  const outgoing = request(`${url}/v1/run-results`, {
    method: 'POST',
    agent,
    headers: {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
      ...sign({ body, deviceId: runResult.deviceId, groupKey }),
    },
  }).end(body);
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
  const chunks = (await answer.toArray()) as Buffer[];
  return {
    status: answer.statusCode ?? 0,
    retryAfter: answer.headers['retry-after'],
    body: Buffer.concat(chunks).toString(),
  };
}

// Sends what a spool keeps, oldest first, in batches, until nothing is left or it cannot go on now.
import type { Kept, Spool } from '../spool/spool.ts';
import { parseObject } from '../outcome.ts';
import type { Answer, Post } from './post.ts';
import { isFinal, settle, settleBatch, type Settled } from './settle.ts';
import { decideNotBefore, type NotBefore } from './wait.ts';

export type SendingEvents = {
  stored: (runId: string, deliveryId: string, duplicate: boolean) => void;
  refused: (runId: string, code: string, file: string) => void;
};

export type Sending = {
  spool: Spool;
  post: Post;
  events: SendingEvents;
  clock: () => number;
  random: () => number;
};

/** Undefined when nothing is left; else what went wrong, and until when to wait. */
export type Stopped = { reason: string; notBefore: NotBefore } | undefined;

/** The caller holds the spool's lock. */
export async function sendKept(sending: Sending, backoffBeforeS: number): Promise<Stopped> {
  const { spool, clock, random } = sending;
  let lastBackoffS = backoffBeforeS;
  for (let batch = await spool.oldest(); batch.length > 0; batch = await spool.oldest()) {
    const failed = await sendSome(await setUnreadableAside(batch, sending), sending);
    if (failed) {
      const { retryAfterS, reason } = failed;
      const nowS = clock() / 1000;
      const notBefore = decideNotBefore({ nowS, lastBackoffS, retryAfterS, random });
      await spool.notBefore.write(notBefore);
      return { reason, notBefore };
    }
    lastBackoffS = 0;
  }
  await spool.notBefore.forget();
  return undefined;
}

/** What a crash of the machine left of a file would shift the answers of a batch. */
async function setUnreadableAside(batch: readonly Kept[], { spool, events }: Sending): Promise<Kept[]> {
  const readable: Kept[] = [];
  for (const kept of batch) {
    if (parseObject(kept.line)?.['runId'] === kept.runId && !kept.line.includes('\n')) {
      readable.push(kept);
      continue;
    }
    const answer = { code: 'unreadable', detail: 'the file is not the run result that its name says' };
    await spool.refuse(kept.name, JSON.stringify(answer));
    events.refused(kept.runId, answer.code, kept.name);
  }
  return readable;
}

/** Returns the answer that stops the sending, if there is one. */
async function sendSome(batch: readonly Kept[], sending: Sending): Promise<Answer | undefined> {
  const [only] = batch;
  if (only === undefined) return undefined;
  if (batch.length === 1) return sendOne(only, sending);
  const answer = await sending.post({
    path: '/v1/run-results/batch',
    contentType: 'application/x-ndjson',
    body: batch.map(({ line }) => `${line}\n`).join(''),
  });
  if (answer.httpStatus === 200) {
    const runIds = batch.map(({ runId }) => runId);
    return (await follow(batch, settleBatch(runIds, answer.text), sending)) ? undefined : answer;
  }
  if (!isFinal(answer.httpStatus)) return answer;
  // The batch as a whole is refused, perhaps because of one of them.
  for (const kept of batch) {
    const failed = await sendOne(kept, sending);
    if (failed) return failed;
  }
  return undefined;
}

async function sendOne(kept: Kept, sending: Sending): Promise<Answer | undefined> {
  const answer = await sending.post({
    path: '/v1/run-results',
    contentType: 'application/json',
    body: `${kept.line}\n`,
  });
  const settled = settle(kept.runId, answer.httpStatus, answer.text);
  return (await follow([kept], [settled], sending)) ? undefined : answer;
}

/** Whether none is left. */
async function follow(
  batch: readonly Kept[],
  settled: readonly Settled[],
  { spool, events }: Sending,
): Promise<boolean> {
  let isAllSettled = true;
  for (const [index, { name, runId }] of batch.entries()) {
    const what = settled[index] ?? { kind: 'kept' };
    switch (what.kind) {
      case 'stored':
        await spool.remove(name);
        events.stored(runId, what.deliveryId, what.duplicate);
        break;
      case 'refused':
        await spool.refuse(name, what.answer);
        events.refused(runId, what.code, name);
        break;
      case 'kept':
        isAllSettled = false;
    }
  }
  return isAllSettled;
}

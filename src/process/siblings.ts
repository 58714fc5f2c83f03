// What API processes of one container tell each other: the metrics of each, since a scrape reaches only one of them.
import cluster, { type Worker } from 'node:cluster';

type Question = { kind: 'metrics-asked'; id: number };
type Answer = { kind: 'metrics-told'; id: number; texts: string[] };
type Message = Question | Answer;

/** A process that does not answer in time is left out of a scrape. */
const ANSWERED_WITHIN_MS = 1000;

const isMessage = (message: unknown): message is Message =>
  typeof message === 'object' &&
  message !== null &&
  'kind' in message &&
  /^metrics-(asked|told)$/.test(String(message.kind));

/**
 * In one of several processes.
 * @param own what this process says when another one is scraped
 * @returns asks all others; null where there are none
 */
export function joinSiblings(own: () => Promise<string>): (() => Promise<string[]>) | null {
  if (!cluster.isWorker) return null;
  const waiting = new Map<number, (texts: string[]) => void>();
  let asked = 0;
  const send = (message: Message) => void process.send?.(message, undefined, undefined, () => undefined);
  process.on('message', (message: unknown) => {
    if (!isMessage(message)) return;
    if (message.kind === 'metrics-told') waiting.get(message.id)?.(message.texts);
    else void own().then((text) => send({ kind: 'metrics-told', id: message.id, texts: [text] }));
  });
  // Waiting for messages must not keep a process alive that has ended its work.
  process.channel?.unref();
  return () => {
    const id = (asked += 1);
    return new Promise((resolve) => {
      const end = (texts: string[]) => {
        clearTimeout(giveUp);
        waiting.delete(id);
        resolve(texts);
      };
      const giveUp = setTimeout(() => end([]), 2 * ANSWERED_WITHIN_MS);
      waiting.set(id, end);
      send({ kind: 'metrics-asked', id });
    });
  };
}

/** In the process that started them: passes questions on, and the answers back. */
export function connectSiblings(all: () => Worker[]): void {
  const open = new Map<number, { left: number; texts: string[]; end: () => void }>();
  let asked = 0;
  cluster.on('message', (from: Worker, message: unknown) => {
    if (!isMessage(message)) return;
    if (message.kind === 'metrics-told') {
      const question = open.get(message.id);
      if (!question) return;
      question.texts.push(...message.texts);
      question.left -= 1;
      if (question.left === 0) question.end();
      return;
    }
    const others = all().filter((worker) => worker !== from && worker.isConnected());
    const id = (asked += 1);
    const texts: string[] = [];
    const end = () => {
      clearTimeout(giveUp);
      open.delete(id);
      tell(from, { kind: 'metrics-told', id: message.id, texts });
    };
    const giveUp = setTimeout(end, ANSWERED_WITHIN_MS);
    open.set(id, { left: others.length, texts, end });
    if (others.length === 0) end();
    for (const worker of others) tell(worker, { kind: 'metrics-asked', id });
  });
}

/** One that has just died cannot be told anything, and nobody has to hear of it. */
function tell(worker: Worker, message: Message): void {
  if (worker.isConnected()) worker.send(message, () => undefined);
}

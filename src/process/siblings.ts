// What API processes of one container tell each other: the metrics of each, since a scrape reaches only one of them.
import cluster, { type Worker } from 'node:cluster';
import { mergeCounters } from '../telemetry/merge-metrics.ts';

/** From the process that was scraped it has what that one says itself. */
type Question = { kind: 'metrics-asked'; id: number; text: string | null };
type Answer = { kind: 'metrics-told'; id: number; texts: string[] };
type Message = Question | Answer;

/** Of a process that does not answer in time, a scrape has what it said last. */
const ANSWERED_WITHIN_MS = 1000;

const isMessage = (message: unknown): message is Message =>
  typeof message === 'object' &&
  message !== null &&
  'kind' in message &&
  /^metrics-(asked|told)$/.test(String(message.kind));

/**
 * In one of several processes.
 * @param own what this process says when another one is scraped
 * @returns given what this process says, asks for what all others say; null where there are none. It throws if the process
 * that started them does not answer: part of the counts would look like counters that began anew
 */
export function joinSiblings(own: () => Promise<string>): ((text: string) => Promise<string[]>) | null {
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
  return async (text) => {
    const id = (asked += 1);
    const { promise, resolve, reject } = Promise.withResolvers<string[]>();
    const giveUp = setTimeout(
      () => reject(new Error('the process that started this one does not answer')),
      2 * ANSWERED_WITHIN_MS,
    );
    waiting.set(id, resolve);
    send({ kind: 'metrics-asked', id, text });
    try {
      return await promise;
    } finally {
      clearTimeout(giveUp);
      waiting.delete(id);
    }
  };
}

/**
 * In the process that started them: passes questions on, and the answers back. It keeps what each said last, and the
 * counters of those that ended, so that no sum of counters ever goes down while this process lives.
 */
export function connectSiblings(all: () => Worker[]): void {
  const open = new Map<number, Open>();
  const said = new Map<Worker, string>();
  let ofEnded = '';
  let asked = 0;
  cluster.on('exit', (worker: Worker) => {
    ofEnded = mergeCounters([ofEnded, said.get(worker) ?? '']);
    said.delete(worker);
    for (const question of open.values()) question.heardOf(worker);
  });
  cluster.on('message', (from: Worker, message: unknown) => {
    // What arrives after its end was in no scrape.
    if (!isMessage(message) || !all().includes(from)) return;
    const text = message.kind === 'metrics-told' ? message.texts[0] : message.text;
    if (text) said.set(from, text);
    if (message.kind === 'metrics-told') {
      open.get(message.id)?.heardOf(from);
      return;
    }
    const id = (asked += 1);
    const awaited = new Set(all().filter((worker) => worker !== from && worker.isConnected()));
    const end = () => {
      clearTimeout(giveUp);
      open.delete(id);
      const others = [...said].flatMap(([worker, itsText]) => (worker === from ? [] : [itsText]));
      tell(from, { kind: 'metrics-told', id: message.id, texts: [...others, ofEnded] });
    };
    const giveUp = setTimeout(end, ANSWERED_WITHIN_MS);
    const heardOf = (worker: Worker | null) => {
      if (worker) awaited.delete(worker);
      if (awaited.size === 0) end();
    };
    open.set(id, { heardOf });
    heardOf(null);
    for (const worker of awaited) tell(worker, { kind: 'metrics-asked', id, text: null });
  });
}

/** A question that is not answered yet. */
type Open = {
  /** One has answered, or ended. */
  heardOf: (worker: Worker) => void;
};

/** One that has just died cannot be told anything, and nobody has to hear of it. */
function tell(worker: Worker, message: Message): void {
  if (worker.isConnected()) worker.send(message, () => undefined);
}

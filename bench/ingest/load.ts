// The load generator, in its own process: signs all requests, then sends them, checks every response and measures the time.
import type { Answer, Lane } from './lanes.ts';
import { openLanes } from './lanes.ts';
import { makeRequests, type Form } from './requests.ts';

/** `prepare`: make requests and connect. `send`: as fast as responses arrive, or at a rate (requests per second). */
export type Order =
  | { kind: 'prepare'; port: number; lanes: number; requests: number; form: Form }
  | { kind: 'send'; requests: number; ratePerS: number | null };

/** Latencies in milliseconds, from when a request was due. */
export type Sent = { results: number; seconds: number; p50Ms: number; p99Ms: number };

/** Signatures are valid for 300 s. */
const USED_FOR_MS = 150_000;

/** A response was not as expected. */
export type Failed = { failure: string };

const made = new Map<string, { requests: Buffer[]; madeAt: number }>();
let lanes: Lane[] = [];
let requests: Buffer[] = [];
let perBatch: number | null = null;

/** Requests can be reused, since every service has its own Redis. */
async function make(count: number, form: Form): Promise<Buffer[]> {
  const kind = JSON.stringify([count, form]);
  const known = made.get(kind);
  if (known && (!form.signed || Date.now() - known.madeAt < USED_FOR_MS)) return [...known.requests];
  const fresh = { requests: await makeRequests(count, form), madeAt: Date.now() };
  made.set(kind, fresh);
  return [...fresh.requests];
}

process.on('message', (order: Order) => {
  void obey(order).then(
    (answer) => process.send?.(answer),
    (error: unknown) => process.send?.({ failure: String(error) } satisfies Failed),
  );
});

async function obey(order: Order): Promise<Sent | 'ready'> {
  if (order.kind === 'send') return send(requests.splice(0, order.requests), order.ratePerS);
  perBatch = order.form.perBatch;
  requests = await make(order.requests, order.form);
  lanes.forEach((lane) => lane.close());
  lanes = await openLanes(order.port, order.lanes);
  return 'ready';
}

function send(due: readonly Buffer[], ratePerS: number | null): Promise<Sent> {
  const { promise, resolve, reject } = Promise.withResolvers<Sent>();
  const latenciesMs = new Float64Array(due.length);
  const free = [...lanes];
  const startedAt = performance.now();
  let begun = 0;
  let answered = 0;
  let failed = false;

  const dueAt = (index: number) => (ratePerS === null ? performance.now() : startedAt + (index / ratePerS) * 1000);

  function begin(): void {
    while (begun < due.length && free.length > 0) {
      const at = dueAt(begun);
      if (at > performance.now()) return;
      const lane = free.pop();
      const request = due[begun];
      const index = begun;
      begun += 1;
      if (!lane || !request) return;
      lane.send(request, (answer) => {
        latenciesMs[index] = performance.now() - at;
        answered += 1;
        const refusal = findRefusal(answer);
        if (refusal !== null) fail(new Error(`answered ${answer.status}: ${refusal}`));
        free.push(lane);
        if (failed) return;
        if (answered === due.length) end();
        else begin();
      });
    }
  }

  function fail(error: Error): void {
    failed = true;
    clearInterval(ticking);
    reject(error);
  }

  function end(): void {
    const seconds = (performance.now() - startedAt) / 1000;
    clearInterval(ticking);
    const sorted = latenciesMs.sort();
    const at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] ?? NaN;
    resolve({ results: due.length * (perBatch ?? 1), seconds, p50Ms: at(0.5), p99Ms: at(0.99) });
  }

  const ticking = setInterval(begin, 1);
  begin();
  return promise;
}

/** Why a request was not accepted in full; null if it was. */
function findRefusal({ status, body }: Answer): string | null {
  if (status !== (perBatch === null ? 202 : 200)) return body.toString().slice(0, 500);
  if (perBatch === null) return null;
  const entries = JSON.parse(body.toString()) as { duplicate?: boolean }[];
  const refused = entries.find(({ duplicate }) => duplicate !== false);
  if (refused) return JSON.stringify(refused);
  return entries.length === perBatch ? null : `${entries.length} entries`;
}

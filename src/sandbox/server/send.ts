// Sends a response: whole, slowly, or cut off in the middle.
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Answer } from './answer.ts';

export type Manner = 'whole' | 'slow' | 'truncated';

const drips = 20;
const dripMs = 100;

type Sending = { response: ServerResponse; answer: Answer; manner: Manner; abandon: AbortSignal };

/** Sends a response; `abandon` ends a slow one. */
export async function send({ response, answer, manner, abandon }: Sending): Promise<void> {
  const body = Buffer.from(answer.body);
  response.writeHead(
    answer.status,
    answer.status === 204 ? answer.headers : { ...answer.headers, 'Content-Length': body.length },
  );
  switch (manner) {
    case 'whole':
      response.end(body);
      return;
    case 'truncated':
      response.write(body.subarray(0, Math.floor(body.length / 2)), () => response.destroy());
      return;
    case 'slow':
      await drip(response, body, AbortSignal.any([abandon, closing(response)]));
  }
}

async function drip(response: ServerResponse, body: Buffer, abandon: AbortSignal): Promise<void> {
  const size = Math.max(1, Math.ceil(body.length / drips));
  for (let start = 0; start < body.length && !abandon.aborted; start += size) {
    response.write(body.subarray(start, start + size));
    await sleep(dripMs, undefined, { signal: abandon }).catch(() => undefined);
  }
  response.end();
}

function closing(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => controller.abort());
  return controller.signal;
}

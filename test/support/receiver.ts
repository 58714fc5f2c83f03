// A receiver of webhooks on this machine: keeps what it gets, verifies signatures as its operator would, and answers as told.
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { Webhook } from 'standardwebhooks';
import type { WebhookBody } from '../../src/webhook/body.ts';
import { until } from './until.ts';

export const SIGNING_KEY = `whsec_${Buffer.alloc(32, 5).toString('base64')}`;

export type Received = {
  id: string;
  at: number;
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  text: string;
  body: WebhookBody;
};

export type Receiver = {
  url: string;
  received: Received[];
  /** Those that were answered 2xx, without the ones of another type. */
  taken: (type?: WebhookBody['type']) => Received[];
  untilTaken: (type: WebhookBody['type'], withinMs?: number) => Promise<Received>;
  /** Instead of 204. */
  answer: ((response: ServerResponse) => void) | null;
  environment: () => { ALERT_WEBHOOK_URL: string; ALERT_WEBHOOK_SECRET: string };
  close: () => Promise<void>;
};

export async function startReceiver(): Promise<Receiver> {
  const received: Received[] = [];
  const taken: Received[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const { headers, method = '', url = '' } = request;
      const one = { id: String(headers['webhook-id']), at: performance.now(), method, url, headers, text: body };
      const message = { ...one, body: JSON.parse(body) as WebhookBody };
      received.push(message);
      if (receiver.answer) receiver.answer(response);
      else response.writeHead(204).end();
      if (response.statusCode < 300) taken.push(message);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/hooks?token=not-for-logs`;
  const ofType = (type?: WebhookBody['type']) => taken.filter(({ body }) => type === undefined || body.type === type);
  const receiver: Receiver = {
    url,
    received,
    taken: ofType,
    untilTaken: (type, withinMs) => until(`an announcement ${type}`, () => ofType(type)[0], withinMs),
    answer: null,
    environment: () => ({ ALERT_WEBHOOK_URL: url, ALERT_WEBHOOK_SECRET: SIGNING_KEY }),
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return receiver;
}

/** @throws Error if the signature is not good for this key, or too old */
export const verifySignature = ({ text: body, headers }: Received, key = SIGNING_KEY): unknown =>
  new Webhook(key).verify(body, headers as Record<string, string>);

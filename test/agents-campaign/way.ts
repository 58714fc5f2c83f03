// The network between device and bridge: an HTTP server that passes requests on, or answers as something else.
import { once } from 'node:events';
import { createServer, request as send, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Random } from '../../src/sandbox/random.ts';
import type { Way } from './plan.ts';

export type Network = {
  url: string;
  way: Way;
  close: () => Promise<void>;
};

/** Agents wait longer; the campaign has no time for that. */
const STALLED_MS = 2500;
const HTML = { 'Content-Type': 'text/html' };
const JSON_TYPE = { 'Content-Type': 'application/json' };

/** @param bridgeUrl the bridge's API */
export async function openNetwork(bridgeUrl: string, random: Random): Promise<Network> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('error', () => undefined);
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => void answer(request, Buffer.concat(chunks), response));
  });
  server.on('clientError', (_error, socket) => socket.destroy());
  server.on('connection', (socket) => {
    if (network.way === 'refused') socket.destroy();
  });

  async function answer(request: IncomingMessage, body: Buffer, response: ServerResponse): Promise<void> {
    switch (network.way) {
      case 'open':
      case 'answer-lost':
      case 'answer-halved':
        await pass(request, body, response);
        break;
      case 'refused':
        response.destroy();
        break;
      case 'stalled':
        setTimeout(() => response.destroy(), STALLED_MS);
        break;
      case 'portal':
        response.writeHead(200, HTML).end('<html>Sign in to the guest network</html>');
        break;
      case 'proxy-403':
        response.writeHead(403, HTML).end('<html>Blocked by policy</html>');
        break;
      case 'gateway-403':
        response.writeHead(403, JSON_TYPE).end('{"code":"blocked","status":403}');
        break;
      case 'foreign-receipt':
        response.writeHead(202, JSON_TYPE).end('{"deliveryId":"d1","runId":"of-another","status":"queued"}');
        break;
      case 'throttled':
        response.writeHead(429, { ...JSON_TYPE, 'Retry-After': `${Math.floor(random() * 90)}` }).end('{}');
        break;
      case 'overloaded':
        response.writeHead(503, { 'Retry-After': new Date(Date.now() + random() * 90_000).toUTCString() }).end();
        break;
      case 'unavailable':
        response.writeHead(503).end();
        break;
    }
  }

  function pass(request: IncomingMessage, body: Buffer, response: ServerResponse): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const { way } = network;
    const { method, url, headers } = request;
    const upstream = send(new URL(url ?? '/', bridgeUrl), { method, headers, agent: false }, (answered) => {
      const chunks: Buffer[] = [];
      answered.on('data', (chunk: Buffer) => chunks.push(chunk));
      answered.on('end', () => {
        const whole = Buffer.concat(chunks);
        if (way === 'answer-lost') response.destroy();
        else {
          response.writeHead(answered.statusCode ?? 502, answered.headers);
          if (way === 'open') response.end(whole);
          else response.write(whole.subarray(0, Math.floor(whole.length * random())), () => response.destroy());
        }
        resolve(undefined);
      });
    });
    upstream.on('error', () => {
      response.destroy();
      resolve(undefined);
    });
    upstream.end(body);
    return promise;
  }

  const network: Network = {
    url: '',
    way: 'open',
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  network.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return network;
}

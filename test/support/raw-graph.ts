// A Graph over trusted HTTPS that sends exactly the bytes a test wants, including what no well-behaved sandbox would send.
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { createTlsMaterial } from '../../src/sandbox/server/certificates.ts';
import { trustedTlsDirectory } from './graph.ts';

export type Seen = { method: string; url: string; headers: IncomingMessage['headers']; body: string };

/** Answers every request with `answer` and records it. `await using` closes it. */
export async function startRawGraph(answer: (response: ServerResponse, seen: Seen) => void) {
  const tls = await createTlsMaterial(trustedTlsDirectory(), ['localhost']);
  const seen: Seen[] = [];
  const server = createServer({ cert: tls.certificatePem, key: tls.privateKeyPem }, (request, response) => {
    const { method = '', url = '', headers } = request;
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      const record = { method, url, headers, body };
      seen.push(record);
      answer(response, record);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    seen,
    server,
    /** The number of open connections. */
    connections: () => promisify(server.getConnections.bind(server))(),
    origin: `https://localhost:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

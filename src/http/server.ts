// The listener: time limits on slow senders, and problem details also for what never becomes a request.
import { randomUUID } from 'node:crypto';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { REFUSALS, type RefusalCode } from '../domain/refusal.ts';
import { PROBLEM_TYPE, toProblem } from './problem.ts';

const LIMITS = {
  /** All header fields of a request. */
  maxHeaderSize: 16_384,
  headersTimeout: 10_000,
  /** From the first byte of a request to its last. */
  requestTimeout: 30_000,
  /** Longer than common load balancers keep theirs. */
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 1000,
};

const DETAILS: Partial<Record<RefusalCode, string>> = {
  'request-timeout': 'the request did not arrive in time',
  'headers-too-large': 'send fewer or shorter header fields',
  'bad-request': 'the request cannot be read as HTTP/1.1',
};

export type Listener = { port: number; close: () => Promise<void> };

/** Listens. @throws Error where the port cannot be had */
export async function listen(app: RequestListener, host: string, port: number): Promise<Listener> {
  const server = createServer(LIMITS, app);
  refuseBrokenRequests(server);
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  server.once('error', reject);
  server.listen(port, host, () => resolve(undefined));
  await promise;
  return { port: (server.address() as AddressInfo).port, close: () => closeServer(server) };
}

function refuseBrokenRequests(server: Server): void {
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    const code = toCode(error.code);
    const requestId = randomUUID();
    const body = JSON.stringify(toProblem({ code, detail: DETAILS[code] ?? '' }, requestId));
    const { status } = REFUSALS[code];
    socket.end(
      [
        `HTTP/1.1 ${status} Refused`,
        `Date: ${new Date().toUTCString()}`,
        `Content-Type: ${PROBLEM_TYPE}`,
        `Content-Length: ${Buffer.byteLength(body)}`,
        `X-Request-Id: ${requestId}`,
        'Connection: close',
        '',
        body,
      ].join('\r\n'),
    );
  });
}

function toCode(errorCode: string | undefined): RefusalCode {
  if (errorCode === 'ERR_HTTP_REQUEST_TIMEOUT') return 'request-timeout';
  return errorCode === 'HPE_HEADER_OVERFLOW' ? 'headers-too-large' : 'bad-request';
}

/** Answers what is under way, takes nothing new. */
async function closeServer(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  server.close(() => resolve(undefined));
  server.closeIdleConnections();
  await promise;
}

// The listener: time limits for slow clients, and problem details even for connections that never send a valid request.
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { Response } from 'express';
import { REFUSALS, type RefusalCode } from '../domain/submission/refusal.ts';
import { PROBLEM_TYPE, refuse, toProblem } from './response/problem.ts';
import { SECURITY_HEADERS } from './response/security-headers.ts';
import type { Tls } from './identity/certificate/tls.ts';

/** Limits on the time and size of what a client sends, and on connections. */
export type Limits = typeof LIMITS;

const LIMITS = {
  /** All header fields of a request. */
  maxHeaderSize: 16_384,
  headersTimeout: 10_000,
  /** From the first byte of a request to its last. */
  requestTimeout: 30_000,
  /** Idle socket timeout, also for clients that do not read their responses. */
  unmovedTimeout: 30_000,
  /** Longer than the idle timeout of common load balancers. */
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 1000,
  /** The request log refuses a missing Host as problem details; Node's own refusal has no body. */
  requireHostHeader: false,
  /** Most of them idle, kept alive by a proxy; requests in flight have their own limit. */
  maxConnections: 10_000,
  /** Pipelined requests waiting for earlier responses, over all connections. */
  maxPipelined: 1000,
};

/** How long a client has to read its last response before the connection is closed. */
const LINGER_MS = 1000;

const DETAILS: Partial<Record<RefusalCode, string>> = {
  'request-timeout': 'the request did not arrive in time',
  'headers-too-large': 'send fewer or shorter header fields',
  'bad-request': 'the request cannot be read as HTTP/1.1',
  'method-not-allowed': 'this is no proxy',
};

/** A refusal before there was a request. A dropped connection has no request id. */
export type ConnectionRefused = (refused: {
  requestId: string | null;
  code: RefusalCode | 'connection-dropped';
}) => void;

/** Calls `onUnrouted` if Express does not answer at all. */
export type App = (req: IncomingMessage, res: ServerResponse, onUnrouted: () => void) => void;

/** Responses in progress by connection, in order. */
type InProgress = ReadonlyMap<Duplex, readonly ServerResponse[]>;

export type Listener = {
  port: number;
  /** From now on every response closes its connection, so that load balancers move clients elsewhere. Keeps listening. */
  drain: () => void;
  close: () => Promise<void>;
};

export type ListenOptions = {
  host: string;
  /** 0 for any free port. */
  port: number;
  /** Called for refusals before there is a request. */
  onRefused: ConnectionRefused;
  limits?: Partial<Limits>;
  /** Null for plain HTTP. */
  tls?: Tls | null;
};

/** @throws Error if the port is not available */
export async function listen(app: App, options: ListenOptions): Promise<Listener> {
  const { host, port, onRefused, limits = {}, tls = null } = options;
  const { maxConnections, maxPipelined, unmovedTimeout, ...settings } = { ...LIMITS, ...limits };
  const answer = inTurn((req, res) => app(req, res, () => onRefused(refuseUnrouted(res))), maxPipelined);
  const server = tls ? createTlsServer(tls, settings, answer) : createServer(settings, answer);
  server.maxConnections = maxConnections;
  // A client that half-closes its connection is still answered; the option is missing from Node's types.
  Object.assign(server, { httpAllowHalfOpen: true });
  const drop = () => {
    onRefused({ requestId: null, code: 'connection-dropped' });
    // Closing idle connections makes room for new ones.
    server.closeIdleConnections();
  };
  server.on('drop', drop);
  const inProgress = followAnswers(server);
  cutUnmoved(server, inProgress, unmovedTimeout);
  // Other Expect values are ignored rather than refused.
  server.on('checkExpectation', (req, res) => server.emit('request', req, res));
  server.on('connect', (_req, socket) => void refuseTunnel(socket, inProgress, onRefused));
  refuseBrokenRequests(server, inProgress, onRefused);
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  server.once('error', reject);
  server.listen(port, host, () => resolve(undefined));
  await promise;
  // A connection could not be accepted, for example for lack of a file descriptor; the next one may be.
  server.on('error', drop);
  const drain = () => {
    for (const answer of answersIn(inProgress)) announceClose(answer);
    server.prependListener('request', (_req, res) => announceClose(res));
  };
  return {
    port: (server.address() as AddressInfo).port,
    drain,
    close: () => {
      drain();
      return closeServer(server, inProgress);
    },
  };
}

function createTlsServer(tls: Tls, settings: object, answer: RequestListener) {
  const server = createSecureServer({ ...settings, ...tls.options() }, answer);
  tls.attach(server);
  return server;
}

/**
 * Grouped by connection rather than in one set: a set with such turnover is reallocated every few responses, and V8 keeps
 * the entries of earlier ones until the next full collection.
 */
function followAnswers(server: Server): InProgress {
  const inProgress = new Map<Duplex, ServerResponse[]>();
  server.prependListener('request', ({ socket }, res) => {
    const answers = inProgress.get(socket) ?? [];
    if (!inProgress.has(socket)) {
      inProgress.set(socket, answers);
      socket.once('close', () => inProgress.delete(socket));
    }
    answers.push(res);
    res.on('close', () => void answers.splice(answers.indexOf(res), 1));
  });
  return inProgress;
}

/**
 * Handles pipelined requests one at a time: the next begins when the response before it was sent. One packet can ask for
 * thousands of responses, which would fill the memory if the client reads none of them.
 */
function inTurn(answer: RequestListener, mostWaiting: number): RequestListener {
  const lines = new WeakMap<Duplex, Parameters<RequestListener>[]>();
  let waiting = 0;

  function takeUp(line: Parameters<RequestListener>[], ...[req, res]: Parameters<RequestListener>): void {
    res.once('close', () => {
      if (req.socket.destroyed) waiting -= line.splice(0).length;
      const next = line.shift();
      if (!next) {
        lines.delete(req.socket);
        return;
      }
      waiting -= 1;
      takeUp(line, ...next);
    });
    answer(req, res);
  }

  return (req, res) => {
    const line = lines.get(req.socket);
    if (!line) {
      const first: Parameters<RequestListener>[] = [];
      lines.set(req.socket, first);
      takeUp(first, req, res);
      return;
    }
    if (req.socket.destroyed) return;
    if (waiting >= mostWaiting) {
      req.socket.destroy();
      return;
    }
    waiting += 1;
    line.push([req, res]);
  };
}

/** Closes idle connections, unless a response is in progress, which has its own deadlines. */
function cutUnmoved(server: Server, inProgress: InProgress, timeoutMs: number): void {
  server.setTimeout(timeoutMs);
  server.on('timeout', (socket: Socket) => {
    const [answer] = inProgress.get(socket) ?? [];
    if (answer && !isMade(answer)) socket.setTimeout(timeoutMs);
    else socket.destroy();
  });
}

/** Refuses CONNECT after earlier requests are answered. Node has released the socket, so its errors are handled here. */
async function refuseTunnel(socket: Duplex, inProgress: InProgress, onRefused: ConnectionRefused): Promise<void> {
  socket.on('error', () => socket.destroy());
  await Promise.all(
    (inProgress.get(socket) ?? []).map((answer) => new Promise((resolve) => answer.once('close', resolve))),
  );
  if (socket.writable) onRefused(refuseConnection(socket, 'method-not-allowed'));
}

function refuseBrokenRequests(server: Server, inProgress: InProgress, onRefused: ConnectionRefused): void {
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    const code = toCode(error.code);
    const answer = inProgress.get(socket)?.find((res) => res.socket === socket);
    if (!answer) {
      onRefused(refuseConnection(socket, code));
      return;
    }
    if (answer.headersSent) return;
    // Complete requests are answered first; one whose body was broken is refused by its own response, logged and counted as usual.
    answer.setHeader('Connection', 'close');
    if (!answer.req.complete) refuse(answer as Response, { code, detail: DETAILS[code] ?? '' });
  });
}

/** Refuses requests that Express cannot route and leaves unanswered, such as a URL with half a host. */
function refuseUnrouted(res: ServerResponse): { requestId: string; code: RefusalCode } {
  const [requestId, code] = [randomUUID(), 'bad-request'] as const;
  const body = JSON.stringify(toProblem({ code, detail: 'the address cannot be read' }, requestId));
  const headers = { ...SECURITY_HEADERS, 'Content-Type': PROBLEM_TYPE, 'X-Request-Id': requestId };
  res.writeHead(REFUSALS[code].status, { ...headers, 'Content-Length': Buffer.byteLength(body) }).end(body);
  return { requestId, code };
}

/** Refuses a connection that sent no valid request. */
function refuseConnection(socket: Duplex, code: RefusalCode): { requestId: string; code: RefusalCode } {
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
      ...Object.entries(SECURITY_HEADERS).map(([name, value]) => `${name}: ${value}`),
      ...(status === 405 ? ['Allow: GET, HEAD, POST'] : []),
      'Connection: close',
      '',
      body,
    ].join('\r\n'),
  );
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
  return { requestId, code };
}

function toCode(errorCode: string | undefined): RefusalCode {
  if (errorCode === 'ERR_HTTP_REQUEST_TIMEOUT') return 'request-timeout';
  return errorCode === 'HPE_HEADER_OVERFLOW' ? 'headers-too-large' : 'bad-request';
}

/** Stops accepting, finishes responses in progress, and closes connections that are idle or whose client does not read. */
async function closeServer(server: Server, inProgress: InProgress): Promise<void> {
  const { promise: closed, resolve } = Promise.withResolvers<undefined>();
  server.close(() => resolve(undefined));
  const left = () => answersIn(inProgress);
  for (let answers = left(); answers.length > 0; answers = left()) {
    const allMade = answers.every(isMade);
    await Promise.race([Promise.all(answers.map(untilClosed)), delay(LINGER_MS, undefined, { ref: false })]);
    // Complete before this wait and still unread after it: the client will not read it.
    if (allMade && left().every(isMade)) break;
  }
  server.closeAllConnections();
  await closed;
}

const answersIn = (inProgress: InProgress) => Array.from(inProgress.values()).flat();

function announceClose(res: ServerResponse): void {
  if (!res.headersSent) res.setHeader('Connection', 'close');
}

const isMade = ({ writableEnded }: ServerResponse) => writableEnded;

async function untilClosed(res: ServerResponse): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  res.once('close', () => resolve(undefined));
  await promise;
}

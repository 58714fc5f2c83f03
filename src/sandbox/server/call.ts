// One request as handlers see it, with its trace ids.
import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';

import type { Answer } from './answer.ts';
import type { Trace } from '../graph/graph-error.ts';

export type Call = {
  method: string;
  url: URL;
  headers: IncomingHttpHeaders;
  /** Empty until it has been read. */
  body: string;
  trace: Trace;
};

const diagnostic = JSON.stringify({
  ServerInfo: { DataCenter: 'Sandbox', Slice: 'E', Ring: '5', ScaleUnit: '000', RoleInstance: 'SB1' },
});

/** A call whose body has not been read yet. */
export function toCall(request: IncomingMessage, at: Date): Call {
  const { method = 'GET', headers, url = '/' } = request;
  const origin = `https://${headers.host ?? 'localhost'}`;
  const requestId = randomUUID();
  const clientRequestId = sentClientRequestId(headers) ?? requestId;
  return {
    method,
    url: new URL(URL.canParse(origin + url) ? origin + url : 'https://localhost'),
    headers,
    body: '',
    trace: { requestId, clientRequestId, at },
  };
}

/** The caller's id for its request, if it sent one. */
export function sentClientRequestId(headers: IncomingHttpHeaders): string | undefined {
  const sent = headers['client-request-id'];
  return typeof sent === 'string' ? sent : undefined;
}

/** Adds the headers common to all responses. */
export function withTrace(answer: Answer, { requestId, clientRequestId, at }: Trace): Answer {
  const headers = {
    'Cache-Control': 'no-store',
    'Strict-Transport-Security': 'max-age=31536000',
    'request-id': requestId,
    'client-request-id': clientRequestId,
    'x-ms-ags-diagnostic': diagnostic,
    Date: at.toUTCString(),
    ...answer.headers,
  };
  return { ...answer, headers };
}

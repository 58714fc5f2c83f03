// Graph's error envelopes as seen in practice, including Intune's nested one.
import type { GraphError } from '../../graph/wire.ts';
import { jsonAnswer } from '../server/answer.ts';
import type { Answer } from '../server/answer.ts';

/** Identifies a request in an error body. */
export type Trace = { requestId: string; clientRequestId: string; at: Date };

/** The format of an error body: correct, like Intune's backend, without a code, or not an error envelope at all. */
export type BodyShape = 'graph' | 'intune' | 'empty-code' | 'html' | 'nothing' | 'invalid-json';

const codeOf: Record<number, string> = {
  400: 'BadRequest',
  401: 'InvalidAuthenticationToken',
  402: 'PaymentRequired',
  403: 'Forbidden',
  404: 'ResourceNotFound',
  405: 'MethodNotAllowed',
  409: 'Conflict',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'UnprocessableEntity',
  429: 'TooManyRequests',
  500: 'InternalServerError',
  501: 'NotImplemented',
  502: 'BadGateway',
  503: 'ServiceUnavailable',
  504: 'UnknownError',
  507: 'InsufficientStorage',
  509: 'BandwidthLimitExceeded',
};

type ErrorAnswer = { status: number; message: string; trace: Trace; code?: string | undefined };

/** An error in Graph's documented envelope. */
export function graphErrorAnswer({ status, message, trace, code = codeOf[status] }: ErrorAnswer): Answer {
  const innerError = {
    date: trace.at.toISOString().slice(0, 19),
    'request-id': trace.requestId,
    'client-request-id': trace.clientRequestId,
  };
  const body: GraphError = { error: { code: code ?? 'UnknownError', message, innerError } };
  return jsonAnswer(status, body);
}

const directoryErrors: Record<number, { code: string; message: string }> = {
  400: { code: 'Request_BadRequest', message: 'The request is not valid.' },
  403: { code: 'Authorization_RequestDenied', message: 'Insufficient privileges to complete the operation.' },
  404: { code: 'Request_ResourceNotFound', message: 'The resource does not exist.' },
};

/** An error as the directory words it, with codes of its own. */
export function directoryErrorAnswer(status: number, trace: Trace, message?: string): Answer {
  const known = directoryErrors[status];
  return graphErrorAnswer({
    status,
    message: message ?? known?.message ?? 'An error has occurred.',
    trace,
    code: known?.code,
  });
}

type ShapedError = { status: number; shape: BodyShape; message: string; trace: Trace; code?: string | undefined };

/** An error with its body in one of the irregular formats. */
export function shapedErrorAnswer({ status, shape, message, trace, code }: ShapedError): Answer {
  switch (shape) {
    case 'graph':
      return graphErrorAnswer({ status, message, trace });
    case 'empty-code':
      return graphErrorAnswer({ status, message: '', trace, code: '' });
    case 'intune':
      return graphErrorAnswer({ status, message: intuneMessage(message, trace), trace, code });
    case 'html':
      return { status, headers: { 'Content-Type': 'text/html' }, body: gatewayPage(status) };
    case 'nothing':
      return { status, headers: {}, body: '' };
    case 'invalid-json':
      return { status, headers: { 'Content-Type': 'application/json' }, body: '{"error":{"code":"Internal' };
  }
}

function intuneMessage(message: string, trace: Trace): string {
  return JSON.stringify({
    _version: 3,
    Message:
      `${message} - Operation ID (for customer support): 00000000-0000-0000-0000-000000000000 - ` +
      `Activity ID: ${trace.requestId} - Url: https://fef.amsub0102.manage.microsoft.com/HardwareConfiguration`,
    CustomApiErrorPhrase: '',
    RetryAfter: null,
    ErrorSourceService: '',
    HttpHeaders: '{}',
  });
}

function gatewayPage(status: number): string {
  return `<!DOCTYPE html><html><head><title>${status}</title></head><body><h1>${status}</h1><hr>Gateway</body></html>`;
}

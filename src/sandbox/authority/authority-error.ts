// The token endpoint's errors in Entra's shape: an OAuth code, an AADSTS code, and ids to trace them by.
import { jsonAnswer } from '../server/answer.ts';
import type { Answer } from '../server/answer.ts';
import type { Trace } from '../graph/graph-error.ts';

type AuthorityError = { status: number; error: string; aadsts: number; message: string; trace: Trace };

/** An OAuth error in Entra's wording. */
export function authorityErrorAnswer({
  status,
  error,
  aadsts,
  message,
  trace: { requestId, clientRequestId, at },
}: AuthorityError): Answer {
  const timestamp = at.toISOString().replace('T', ' ').replace(/\.\d+/, '');
  return jsonAnswer(status, {
    error,
    error_description:
      `AADSTS${aadsts}: ${message} Trace ID: ${requestId} ` +
      `Correlation ID: ${clientRequestId} Timestamp: ${timestamp}`,
    error_codes: [aadsts],
    timestamp,
    trace_id: requestId,
    correlation_id: clientRequestId,
    error_uri: `https://login.microsoftonline.com/error?code=${aadsts}`,
  });
}

/** The token endpoint's error for a scripted status. */
export function authorityFaultAnswer(status: number, trace: Trace): Answer {
  if (status === 401)
    return authorityErrorAnswer({
      status: 401,
      error: 'invalid_client',
      aadsts: 7000215,
      message: 'Invalid client secret provided.',
      trace,
    });
  if (status < 500 && status !== 429 && status !== 408) {
    return authorityErrorAnswer({
      status,
      error: 'invalid_request',
      aadsts: 900144,
      message: 'The request is malformed.',
      trace,
    });
  }
  return authorityErrorAnswer({
    status,
    error: 'temporarily_unavailable',
    aadsts: 90033,
    message: 'A transient error has occurred.',
    trace,
  });
}

// The token endpoint's errors in Entra's shape: an OAuth code, an AADSTS code, and ids to trace them by.
import { jsonAnswer } from '../server/answer.ts';
import type { Answer } from '../server/answer.ts';
import type { Trace } from '../graph/graph-error.ts';

/** An OAuth error in Entra's wording. */
export function authorityErrorAnswer(
  status: number,
  error: string,
  aadsts: number,
  message: string,
  { requestId, clientRequestId, at }: Trace,
): Answer {
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
    return authorityErrorAnswer(401, 'invalid_client', 7000215, 'Invalid client secret provided.', trace);
  if (status < 500 && status !== 429 && status !== 408) {
    return authorityErrorAnswer(status, 'invalid_request', 900144, 'The request is malformed.', trace);
  }
  return authorityErrorAnswer(status, 'temporarily_unavailable', 90033, 'A transient error has occurred.', trace);
}

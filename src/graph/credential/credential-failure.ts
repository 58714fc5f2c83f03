// Maps a token error to a failure: credential refused, or token endpoint unreachable.
import type { Failure } from '../../domain/attempt/failure.ts';
import { CertificateFileError } from './app-certificate.ts';

/** The last request to the token endpoint; the identity libraries keep neither responses nor causes. */
export type TokenExchange = {
  host: string;
  /** Why there was no response; null if there was one. */
  error: unknown;
  status: number | null;
  /** Null if there was no response. */
  headers: Pick<Headers, 'get'> | null;
  body: string | null;
};

const DETAIL_LENGTH = 300;

/** OAuth errors that mean trouble on the server's side (RFC 6749 §4.1.2.1); any other concerns the request. */
const PASSING_ERRORS: readonly string[] = ['temporarily_unavailable', 'server_error', 'slow_down'];

/**
 * AADSTS codes that Entra documents as transient, whatever their status and OAuth error: retryable errors, timeouts,
 * throttling.
 */
const PASSING_CODES: readonly number[] = [50_033, 50_196, 90_006, 90_012, 90_024, 90_033, 90_036, 90_055];

/** The credential's own files. */
const FILE_ERRORS: readonly string[] = ['ENOENT', 'EACCES', 'EISDIR', 'EPERM'];

/** TLS error codes for a certificate that is not trusted or does not match the host. */
const UNTRUSTED = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER|ALTNAME|ERR_TLS/;

/** Maps a token error to its meaning. @param exchange null if no request was sent */
export function diagnoseCredential(error: unknown, exchange: TokenExchange | null): Failure {
  const local = localFault(error);
  if (local !== null) return refused(local);
  if (exchange === null) {
    // A managed identity's endpoint, which MSAL calls by itself.
    const detail = shorten(messageOf(error));
    return [400, 401, 403].includes(statusOf(error, null) ?? 0) ? refused(detail) : endpoint(detail);
  }
  if (exchange.status === null) return endpoint(describeNetwork(exchange));
  const oauth = readOAuthError(exchange.body);
  if (oauth === null) return endpoint(describeStranger(exchange));
  const detail = shorten(`${exchange.status} ${oauth.error}: ${oauth.description}`);
  return isPassing(exchange.status, oauth) ? endpoint(detail) : refused(detail);
}

function isPassing(status: number, { error, codes }: OAuthError): boolean {
  if (status >= 500 || status === 429 || status === 408) return true;
  return PASSING_ERRORS.includes(error) || codes.some((code) => PASSING_CODES.includes(code));
}

const refused = (detail: string): Failure => ({ kind: 'credential-refused', detail, graph: null });

const endpoint = (detail: string): Failure => ({
  kind: 'not-sent',
  upstream: 'token-endpoint',
  detail,
  graph: null,
});

/** The HTTP status, from the exchange or from an error of the identity libraries; null without a response. */
export function statusOf(error: unknown, exchange: TokenExchange | null): number | null {
  if (exchange !== null) return exchange.status;
  const { status, cause } = (error ?? {}) as { status?: unknown; cause?: unknown };
  if (typeof status === 'number') return status;
  return cause === undefined ? null : statusOf(cause, null);
}

/** A fault of the credential's own file, found before any request. */
function localFault(error: unknown): string | null {
  if (error instanceof CertificateFileError) return error.message;
  const { code, path } = (error ?? {}) as NodeJS.ErrnoException;
  if (typeof code === 'string' && FILE_ERRORS.includes(code)) return `${path ?? 'a file'} cannot be read (${code})`;
  const { cause } = (error ?? {}) as { cause?: unknown };
  return cause === undefined ? null : localFault(cause);
}

/** Why the token endpoint could not be reached, with a specific message for certificate errors. */
function describeNetwork({ host, error }: TokenExchange): string {
  const cause = innermost(error);
  const { code } = cause as NodeJS.ErrnoException;
  const name = typeof code === 'string' ? code : cause.name;
  if (UNTRUSTED.test(name)) {
    return shorten(
      `the certificate of ${host} is not trusted here (${name}: ${cause.message}); where TLS is inspected on the way, set NODE_EXTRA_CA_CERTS`,
    );
  }
  return shorten(`${host}: ${name}: ${cause.message}`);
}

/** A response that is not OAuth: a proxy's page, a captive portal, a failing gateway. */
function describeStranger({ host, status, headers }: TokenExchange): string {
  const type = headers?.get('content-type')?.split(';')[0]?.trim() ?? 'no content type';
  return shorten(
    `${host} answered ${status ?? 'nothing'} with ${type}, not as a token endpoint does: a proxy or gateway on the way`,
  );
}

type OAuthError = { error: string; description: string; codes: number[] };

function readOAuthError(body: string | null): OAuthError | null {
  try {
    const json = JSON.parse(body ?? '') as Record<string, unknown> | null;
    if (typeof json?.['error'] !== 'string') return null;
    const { error, error_description: text, error_codes: listed } = json;
    // The rest consists of ids and a time, which change with each attempt.
    const description = typeof text === 'string' ? (text.split(/\r?\n| Trace ID:/)[0] ?? '') : '';
    const codes = Array.isArray(listed) ? listed.map(Number) : [];
    const named = /AADSTS(\d+)/.exec(description)?.[1];
    return { error, description, codes: named === undefined ? codes : [...codes, Number(named)] };
  } catch {
    return null;
  }
}

function innermost(error: unknown): Error {
  if (!(error instanceof Error)) return new Error('the request failed');
  if (error instanceof AggregateError && error.errors.length > 0) return innermost(error.errors[0]);
  return error.cause instanceof Error ? innermost(error.cause) : error;
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? (error.message.split('\n')[0] ?? '') : 'no token';

const shorten = (text: string): string => text.slice(0, DETAIL_LENGTH);

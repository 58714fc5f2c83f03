// Maps a token error to a failure: credential refused, or token endpoint unreachable.
import type { Failure } from '../../domain/attempt/failure.ts';
import { CertificateFileError } from './app-certificate.ts';

/** The last request to the token endpoint, as it went: the identity libraries keep neither answers nor causes. */
export type TokenExchange = {
  host: string;
  /** Why nothing was answered; null where something was. */
  error: unknown;
  status: number | null;
  /** Null where nothing was answered. */
  headers: Pick<Headers, 'get'> | null;
  body: string | null;
};

const DETAIL_LENGTH = 300;

/** OAuth errors by which a server says that it is in trouble itself (RFC 6749 §4.1.2.1); any other is about the request. */
const PASSING_ERRORS: readonly string[] = ['temporarily_unavailable', 'server_error', 'slow_down'];

/**
 * AADSTS codes that Entra documents as passing, whatever status and OAuth error they come with: retryable errors,
 * time-outs, throttling.
 */
const PASSING_CODES: readonly number[] = [50_033, 50_196, 90_006, 90_012, 90_024, 90_033, 90_036, 90_055];

/** The credential's own files. */
const FILE_ERRORS: readonly string[] = ['ENOENT', 'EACCES', 'EISDIR', 'EPERM'];

/** Codes of TLS for a certificate that is not trusted, or not that host's. */
const UNTRUSTED = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER|ALTNAME|ERR_TLS/;

/** Names what it means that no token was given. @param exchange null where no request was sent */
export function diagnoseCredential(error: unknown, exchange: TokenExchange | null): Failure {
  const local = localFault(error);
  if (local !== null) return refused(local);
  if (exchange === null) {
    // A managed identity's endpoint, which MSAL asks by itself.
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

/** The HTTP status that was answered, as the exchange has it or an error of the identity libraries; null without one. */
export function statusOf(error: unknown, exchange: TokenExchange | null): number | null {
  if (exchange !== null) return exchange.status;
  const { status, cause } = (error ?? {}) as { status?: unknown; cause?: unknown };
  if (typeof status === 'number') return status;
  return cause === undefined ? null : statusOf(cause, null);
}

/** What is wrong with the credential's own file, before anybody was asked. */
function localFault(error: unknown): string | null {
  if (error instanceof CertificateFileError) return error.message;
  const { code, path } = (error ?? {}) as NodeJS.ErrnoException;
  if (typeof code === 'string' && FILE_ERRORS.includes(code)) return `${path ?? 'a file'} cannot be read (${code})`;
  const { cause } = (error ?? {}) as { cause?: unknown };
  return cause === undefined ? null : localFault(cause);
}

/** Why the token endpoint could not be reached; what is wrong with a certificate is said as that. */
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

/** An answer that is none of OAuth's: a proxy's page, a captive portal, a gateway in trouble. */
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
    // What follows are ids and a time; they change with each try.
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

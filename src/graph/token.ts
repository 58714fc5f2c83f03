// The app-permission token: @azure/identity, one request at a time, refreshed early, renewed when Graph refuses it.
import {
  ClientCertificateCredential,
  ClientSecretCredential,
  ManagedIdentityCredential,
  WorkloadIdentityCredential,
  type TokenCredential,
} from '@azure/identity';
import type { CredentialConfig, GraphConfig } from '../config.ts';
import { within } from '../deadline.ts';
import type { Failure } from '../domain/failure.ts';
import type { RequestEnded } from './client.ts';

export type Token = { ok: true; value: string } | { ok: false; failure: Failure };

export type TokenSource = {
  /** A token that is good for now. */
  get: () => Promise<Token>;
  /** A new one, since Graph refused this one; whoever comes later with the same refused token shares the answer. */
  renew: (refused: string) => Promise<Token>;
  /** The next one shall be new: permissions are written into a token when it is issued. */
  forget: (refused: string) => void;
};

/** @azure/identity gives a token out until 5 minutes before its end; so do we, and no later than half its life. */
const RENEW_BEFORE_MS = 300_000;
/** After an early renewal failed. */
const RENEW_AGAIN_MS = 5000;
/** One request to the token endpoint, and all of them (discovery and token) for one token. */
const REQUEST_TIMEOUT_MS = 10_000;
const TOKEN_TIMEOUT_MS = 20_000;
const DETAIL_LENGTH = 300;

type Held = { value: string; renewAt: number; expiresAt: number };

/** A source for the credential the configuration names. */
export function createTokenSource(config: GraphConfig, clock: () => number, ended: RequestEnded): TokenSource {
  let credential: TokenCredential | null = null;
  let held: Held | null = null;
  let fetching: Promise<Token> | null = null;

  function fetchToken(): Promise<Token> {
    return (fetching ??= request().finally(() => (fetching = null)));
  }

  async function request(): Promise<Token> {
    const startedAt = clock();
    try {
      credential ??= createCredential(config);
      const token = await within(credential.getToken(config.scope), TOKEN_TIMEOUT_MS);
      if (token === null) throw new Error('the credential gave no token');
      const now = clock();
      const lifeMs = token.expiresOnTimestamp - now;
      held = {
        value: token.token,
        expiresAt: token.expiresOnTimestamp,
        renewAt: Math.min(
          token.refreshAfterTimestamp ?? Infinity,
          now + Math.max(lifeMs - RENEW_BEFORE_MS, lifeMs / 2),
        ),
      };
      ended({ operation: 'token', status: 200, durationMs: now - startedAt });
      return { ok: true, value: held.value };
    } catch (error) {
      // A new instance next time: it reads a rotated certificate, and is free of MSAL's 60 s lock-out after a failure.
      credential = null;
      ended({ operation: 'token', status: statusOf(error), durationMs: clock() - startedAt });
      return { ok: false, failure: diagnoseCredential(error) };
    }
  }

  function forget(refused: string): void {
    if (held?.value !== refused) return;
    held = null;
    credential = null;
  }

  return {
    get: async () => {
      const now = clock();
      if (held && now >= held.expiresAt) forget(held.value);
      if (!held) return fetchToken();
      if (now >= held.renewAt && !fetching) {
        // The old token still serves while the new one is on its way, or while the endpoint is in trouble.
        held.renewAt = now + RENEW_AGAIN_MS;
        credential = null;
        void fetchToken();
      }
      return { ok: true, value: held.value };
    },
    forget,
    renew: async (refused) => {
      forget(refused);
      return held ? { ok: true, value: held.value } : fetchToken();
    },
  };
}

function createCredential({ credential, authorityHost, instanceDiscovery }: GraphConfig): TokenCredential {
  const options = {
    authorityHost,
    disableInstanceDiscovery: !instanceDiscovery,
    // How often and when to try again is the delivery's business, not the pipeline's.
    retryOptions: { maxRetries: 0 },
    // The only time limit the token request obeys; getToken ignores its own.
    additionalPolicies: [
      {
        position: 'perRetry' as const,
        policy: {
          name: 'tokenRequestTimeout',
          sendRequest: (request: { timeout: number }, next: (request: never) => Promise<never>) => {
            request.timeout = REQUEST_TIMEOUT_MS;
            return next(request as never);
          },
        },
      },
    ],
  };
  if (!credential) throw new Error('no credential is configured');
  return construct(credential, options);
}

function construct(
  credential: CredentialConfig,
  options: ConstructorParameters<typeof ClientSecretCredential>[3],
): TokenCredential {
  switch (credential.kind) {
    case 'secret':
      return new ClientSecretCredential(credential.tenantId, credential.clientId, credential.secret.reveal(), options);
    case 'certificate':
      return new ClientCertificateCredential(
        credential.tenantId,
        credential.clientId,
        { certificatePath: credential.certificatePath },
        options,
      );
    case 'federated':
      return new WorkloadIdentityCredential({
        ...options,
        tenantId: credential.tenantId,
        clientId: credential.clientId,
        tokenFilePath: credential.tokenFilePath,
      });
    case 'managed-identity':
      return credential.clientId === null
        ? new ManagedIdentityCredential(options ?? {})
        : new ManagedIdentityCredential({ ...options, clientId: credential.clientId });
  }
}

/** OAuth errors that another try with the same credential cannot mend (RFC 6749 §5.2 and Entra's own). */
const REFUSALS = [
  'invalid_client',
  'unauthorized_client',
  'invalid_request',
  'invalid_scope',
  'invalid_grant',
  'invalid_resource',
  'invalid_tenant',
  'access_denied',
];
/** The certificate or token file is missing or unreadable. */
const FILE_ERRORS = ['ENOENT', 'EACCES', 'EISDIR'];

/** Whether the credential was refused or the token endpoint is in trouble; the class of the error does not tell, its cause does. */
function diagnoseCredential(error: unknown): Failure {
  const detail = error instanceof Error ? (error.message.split('\n')[0] ?? '').slice(0, DETAIL_LENGTH) : 'no token';
  const status = statusOf(error);
  const code = codeOf(error);
  const refused =
    (code !== null && (REFUSALS.includes(code) || FILE_ERRORS.includes(code))) ||
    status === 400 ||
    status === 401 ||
    status === 403 ||
    /certificate|PEM/.test(detail);
  return refused
    ? { kind: 'credential-refused', detail, graph: null }
    : { kind: 'not-sent', upstream: 'token-endpoint', detail, graph: null };
}

type MsalError = { status?: unknown; errorCode?: unknown; code?: unknown; cause?: unknown };

function statusOf(error: unknown): number | null {
  const { status, cause } = (error ?? {}) as MsalError;
  if (typeof status === 'number') return status;
  return cause === undefined ? null : statusOf(cause);
}

function codeOf(error: unknown): string | null {
  const { errorCode, code, cause } = (error ?? {}) as MsalError;
  if (typeof errorCode === 'string' && errorCode !== '') return errorCode;
  if (cause !== undefined) return codeOf(cause);
  return typeof code === 'string' ? code : null;
}

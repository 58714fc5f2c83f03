// The app registration's credential: which one the environment holds, and what its errors mean.
import { readFile } from 'node:fs/promises';
import {
  ClientCertificateCredential,
  ClientSecretCredential,
  WorkloadIdentityCredential,
  type TokenCredential,
} from '@azure/identity';
import { ManagedIdentityApplication } from '@azure/msal-node';
import type { CredentialConfig, GraphConfig } from '../graph-config.ts';
import type { Failure } from '../domain/failure.ts';

/** One request to the token endpoint. */
const REQUEST_TIMEOUT_MS = 10_000;
const DETAIL_LENGTH = 300;

/** The parts of the pipeline's requests and answers that are of use here. */
type Sent = { timeout: number };
type Answered = { status: number; headers: { get: (name: string) => string | undefined } };

/** An answer of the token endpoint that is not a success: what it asks to wait can only be seen here. */
export type OnRefused = (headers: Pick<Headers, 'get'>) => void;

/**
 * Makes the credential the configuration names. Whoever wants a token that is surely new makes a new one: it reads a
 * rotated certificate or token file again, and remembers nothing.
 */
export function createCredential(
  { credential, authorityHost, instanceDiscovery }: GraphConfig,
  onRefused: OnRefused = () => undefined,
): TokenCredential {
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
          sendRequest: async <Request extends Sent, Answer extends Answered>(
            request: Request,
            next: (request: Request) => Promise<Answer>,
          ) => {
            request.timeout = REQUEST_TIMEOUT_MS;
            const answer = await next(request);
            const { status, headers } = answer;
            if (status >= 400) onRefused({ get: (name) => headers.get(name) ?? null });
            return answer;
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
    case 'secret-file':
      return createFileSecretCredential(credential, options);
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
      return createManagedIdentityCredential(credential.clientId);
  }
}

/** A client secret in a file, read when it is needed. */
function createFileSecretCredential(
  { tenantId, clientId, secretPath }: Extract<CredentialConfig, { kind: 'secret-file' }>,
  options: ConstructorParameters<typeof ClientSecretCredential>[3],
): TokenCredential {
  return {
    getToken: async (scopes) => {
      const secret = (await readFile(secretPath, 'utf8')).trim();
      return new ClientSecretCredential(tenantId, clientId, secret, options).getToken(scopes);
    },
  };
}

/**
 * A managed identity by MSAL itself: @azure/identity's credential shares one cache over the whole process and cannot be
 * made to ask again, so a permission granted meanwhile would go unnoticed until the old token ends.
 */
function createManagedIdentityCredential(clientId: string | null): TokenCredential {
  const application = new ManagedIdentityApplication(
    clientId === null ? {} : { managedIdentityIdParams: { userAssignedClientId: clientId } },
  );
  return {
    getToken: async (scopes) => {
      const resource = String(scopes).replace(/\/\.default$/, '');
      const { accessToken, expiresOn } = await application.acquireToken({ resource, forceRefresh: true });
      return { token: accessToken, expiresOnTimestamp: expiresOn?.getTime() ?? 0 };
    },
  };
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
export function diagnoseCredential(error: unknown): Failure {
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

/** The HTTP status underneath an error of the identity libraries. */
export function statusOf(error: unknown): number | null {
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

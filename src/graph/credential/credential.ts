// Creates the app registration's credential from the configuration, with the right proxy.
import { Agent } from 'node:https';
import {
  ClientCertificateCredential,
  ClientSecretCredential,
  WorkloadIdentityCredential,
  type TokenCredential,
} from '@azure/identity';
import { ManagedIdentityApplication } from '@azure/msal-node';
import { HttpsProxyAgent } from 'https-proxy-agent';
import type { CredentialConfig, GraphConfig, ProxyConfig } from '../../config/graph.ts';
import { readSettingFile } from '../../config/setting-file.ts';
import { readAppCertificate } from './app-certificate.ts';
import type { TokenExchange } from './credential-failure.ts';
import { proxyFor } from '../proxy.ts';

/** For one request to the token endpoint. */
const REQUEST_TIMEOUT_MS = 10_000;
/** Enough of a response to tell who sent it. */
const LONGEST_ANSWER = 16_384;

/**
 * Creates the configured credential. A new instance is needed for a token that is certainly new: it re-reads a rotated
 * certificate or token file and has no cache.
 * @param onExchange called after each request to the token endpoint
 */
export function createCredential(
  { credential, authorityHost, instanceDiscovery, proxy }: GraphConfig,
  onExchange: (exchange: TokenExchange) => void,
): TokenCredential {
  const options = {
    authorityHost,
    disableInstanceDiscovery: !instanceDiscovery,
    // Retries are decided per delivery, not by the pipeline.
    retryOptions: { maxRetries: 0 },
    additionalPolicies: [{ position: 'perRetry' as const, policy: createExchangePolicy(proxy, onExchange) }],
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
      return createFileCertificateCredential(credential, options);
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

/** A client secret in a file, read when needed. */
function createFileSecretCredential(
  { tenantId, clientId, secretPath }: Extract<CredentialConfig, { kind: 'secret-file' }>,
  options: ConstructorParameters<typeof ClientSecretCredential>[3],
): TokenCredential {
  return {
    getToken: async (scopes) => {
      const secret = readSettingFile(secretPath).trim();
      return new ClientSecretCredential(tenantId, clientId, secret, options).getToken(scopes);
    },
  };
}

/** A certificate in a file, possibly with an encrypted key; checked here because the libraries' errors do not name the file. */
function createFileCertificateCredential(
  {
    tenantId,
    clientId,
    certificatePath,
    certificateVariable,
    password,
  }: Extract<CredentialConfig, { kind: 'certificate' }>,
  options: ConstructorParameters<typeof ClientSecretCredential>[3],
): TokenCredential {
  return {
    getToken: async (scopes) => {
      const certificate = readAppCertificate(certificatePath, password?.reveal() ?? null, certificateVariable);
      return new ClientCertificateCredential(tenantId, clientId, { certificate }, options).getToken(scopes);
    },
  };
}

/** The parts of the pipeline's requests and responses used here. */
type Sent = { url: string; timeout: number; agent?: unknown };
type Answered = {
  status: number;
  headers: { get: (name: string) => string | undefined };
  bodyAsText?: string | null;
};

/** Sets each request's timeout and proxy, the same as for Graph, and reports its result. */
function createExchangePolicy(proxy: ProxyConfig | null, onExchange: (exchange: TokenExchange) => void) {
  return {
    name: 'tokenExchange',
    sendRequest: async <Request extends Sent, Answer extends Answered>(
      request: Request,
      next: (request: Request) => Promise<Answer>,
    ) => {
      // The only timeout the token request obeys; getToken ignores its own.
      request.timeout = REQUEST_TIMEOUT_MS;
      const proxyUrl = proxyFor(request.url, proxy);
      // Replaces the pipeline's own interpretation of the proxy environment variables.
      request.agent = proxyUrl === null ? new Agent() : new HttpsProxyAgent(proxyUrl);
      const { host } = new URL(request.url);
      try {
        const answer = await next(request);
        onExchange({
          host,
          error: null,
          status: answer.status,
          headers: { get: (name) => answer.headers.get(name) ?? null },
          body: answer.bodyAsText?.slice(0, LONGEST_ANSWER) ?? null,
        });
        return answer;
      } catch (error) {
        onExchange({ host, error, status: null, headers: null, body: null });
        throw error;
      }
    },
  };
}

/**
 * A managed identity through MSAL itself: @azure/identity's credential uses one cache for the whole process and cannot be
 * made to ask again, so a newly granted permission would go unnoticed until the old token expires.
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

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

/** One request to the token endpoint. */
const REQUEST_TIMEOUT_MS = 10_000;
/** More of an answer is not needed to know whose it is. */
const LONGEST_ANSWER = 16_384;

/**
 * Makes the credential the configuration names. Whoever wants a token that is surely new makes a new one: it reads a
 * rotated certificate or token file again, and remembers nothing.
 * @param onExchange told of each request to the token endpoint, when it ended
 */
export function createCredential(
  { credential, authorityHost, instanceDiscovery, proxy }: GraphConfig,
  onExchange: (exchange: TokenExchange) => void,
): TokenCredential {
  const options = {
    authorityHost,
    disableInstanceDiscovery: !instanceDiscovery,
    // How often and when to try again is the delivery's business, not the pipeline's.
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

/** A client secret in a file, read when it is needed. */
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

/** A certificate in a file, its key perhaps encrypted; checked here, since the libraries' own errors name no file. */
function createFileCertificateCredential(
  { tenantId, clientId, certificatePath, password }: Extract<CredentialConfig, { kind: 'certificate' }>,
  options: ConstructorParameters<typeof ClientSecretCredential>[3],
): TokenCredential {
  return {
    getToken: async (scopes) => {
      const certificate = readAppCertificate(certificatePath, password?.reveal() ?? null);
      return new ClientCertificateCredential(tenantId, clientId, { certificate }, options).getToken(scopes);
    },
  };
}

/** The parts of the pipeline's requests and answers that are of use here. */
type Sent = { url: string; timeout: number; agent?: unknown };
type Answered = {
  status: number;
  headers: { get: (name: string) => string | undefined };
  bodyAsText?: string | null;
};

/** Sets each request's time limit and way – the same as to Graph – and tells how it went. */
function createExchangePolicy(proxy: ProxyConfig | null, onExchange: (exchange: TokenExchange) => void) {
  return {
    name: 'tokenExchange',
    sendRequest: async <Request extends Sent, Answer extends Answered>(
      request: Request,
      next: (request: Request) => Promise<Answer>,
    ) => {
      // The only time limit the token request obeys; getToken ignores its own.
      request.timeout = REQUEST_TIMEOUT_MS;
      const proxyUrl = proxyFor(request.url, proxy);
      // In place of what the pipeline reads in the environment by rules of its own.
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

// Every way to identify a caller: what the process has for all its tenants, and each tenant's own.
import { createVerifyOperator } from './operator-token.ts';
import type { Config } from '../../config/config.ts';
import type { EntraConfig } from '../../config/identity.ts';
import type { TenantConfig } from '../../config/tenants/tenant.ts';
import { createCallers, type Callers, type CallerParts } from './callers.ts';
import type { VerifyInDirectory } from './certificate/directory.ts';
import type { FetchKeys, VerifyToken } from './entra/token.ts';
import type { OnReload } from './watched-files.ts';
import { createVerifySignature } from './signature/signature.ts';
import { createTargetsOf } from './signature/signed-target.ts';
import { createTls, type Tls } from './certificate/tls.ts';
import type { VerifyCertificate } from './certificate/client-certificate.ts';
import { createIsTrustedProxy, type IsTrustedProxy } from './certificate/trusted-proxies.ts';
import { openTenantIdentity, type TenantIdentity } from './tenant-identity.ts';

export type Identities = {
  callers: Callers;
  /** Whether a peer is one of our proxies, which are believed about their callers. */
  isProxy: IsTrustedProxy;
  verifyOperator: CallerParts['verifyOperator'];
  /** Null if the listener uses plain HTTP. */
  tls: Tls | null;
  /** Accepts callers of a tenant until it is closed. @throws CannotStart if a certificate cannot be used */
  openTenant: (tenant: TenantConfig, verifyInDirectory: VerifyInDirectory | null) => Promise<{ close: () => void }>;
  close: () => void;
};

export type IdentityEvents = {
  reloaded: OnReload;
  /** Entra's signing keys could not be fetched. */
  signingKeysTrouble: (error: unknown) => void;
  /** The directory's answers could not be read from the queue. */
  queueTrouble: (error: unknown) => void;
};

export type IdentityParts = {
  clock: () => number;
  random: () => number;
  events: IdentityEvents;
  /** Called only if Entra tokens are accepted. */
  openFetchKeys: () => Promise<FetchKeys>;
  isRevoked: CallerParts['isRevoked'];
};

/** @throws CannotStart if a certificate or key cannot be used */
export async function openIdentities(
  { http, identity, tenantsFile, entraAudiences }: Pick<Config, 'http' | 'identity' | 'tenantsFile' | 'entraAudiences'>,
  { clock, random, events, openFetchKeys, isRevoked }: IdentityParts,
): Promise<Identities> {
  const isProxy = createIsTrustedProxy(identity.trustedProxies);
  const tenants = new Map<string, TenantIdentity>();
  const all = () => [...tenants.values()];
  const certifying = () =>
    all().flatMap(({ id, authorities, devices }) => (authorities && devices ? [{ id, devices }] : []));
  let onAuthoritiesChanged = (): void => undefined;
  const mayHaveAuthorities = identity.devices !== null || tenantsFile !== null;
  const isVerifiedByHandshake = tenantsFile === null;
  const authorities = mayHaveAuthorities
    ? {
        // With none the handshake asks for a certificate and trusts nobody: each tenant's authorities judge it afterwards.
        current: () =>
          isVerifiedByHandshake ? all().flatMap((tenant) => tenant.authorities?.current().pem ?? []) : [],
        onChange: (listener: () => void) => void (onAuthoritiesChanged = listener),
      }
    : null;
  const tls = identity.tls && createTls(identity.tls, authorities, events.reloaded);
  const verifyOperator = http.operatorToken && createVerifyOperator(http.operatorToken.reveal());
  const verifyCertificate = mayHaveAuthorities ? await openVerifyCertificate() : null;
  const fetchKeys = entraAudiences.length > 0 ? await openFetchKeys() : null;
  const callers = createCallers({
    verifySignature: createVerifySignature({
      findTenant: (id) => tenants.get(id),
      targetsOf: createTargetsOf(isProxy),
      clock,
    }),
    verifyOperator,
    verifyCertificate,
    onQueueTrouble: events.queueTrouble,
    verifyToken: fetchKeys && (await openVerifyTokens()),
    isRevoked,
    random,
  });

  async function openVerifyCertificate(): Promise<VerifyCertificate> {
    const { createVerifyCertificate } = await import('./certificate/client-certificate.ts');
    const header = identity.clientCertificateHeader;
    const parts = { tenants: certifying, header, isProxy, isVerifiedByHandshake };
    return createVerifyCertificate(parts, clock);
  }

  /** The library for tokens is loaded only if they are accepted. */
  async function openVerifyTokens() {
    const { createVerifyTenantsToken } = await import('./entra/tokens.ts');
    return createVerifyTenantsToken(all);
  }

  async function openVerifyToken(entra: EntraConfig): Promise<VerifyToken> {
    const { createVerifyToken } = await import('./entra/token.ts');
    if (!fetchKeys) throw new Error('tokens are accepted, but there is no audience');
    return createVerifyToken(entra, { clock, onTrouble: events.signingKeysTrouble, fetchKeys });
  }

  async function openTenant(config: TenantConfig, verifyInDirectory: VerifyInDirectory | null) {
    const parts = { clock, reloaded: events.reloaded, verifyInDirectory, openVerifyToken };
    const tenant = await openTenantIdentity(config, parts);
    tenants.set(tenant.id, tenant);
    if (isVerifiedByHandshake) tenant.authorities?.onChange(() => onAuthoritiesChanged());
    return {
      close: () => {
        if (tenants.get(tenant.id) === tenant) tenants.delete(tenant.id);
        tenant.close();
      },
    };
  }

  return { callers, isProxy, verifyOperator, tls, openTenant, close: () => tls?.close() };
}

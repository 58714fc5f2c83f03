// How callers of one tenant prove who they are: group keys, certificates, Entra tokens.
import { createSecretKey } from 'node:crypto';
import type { EntraConfig } from '../../config/identity.ts';
import type { TenantConfig } from '../../config/tenants/tenant.ts';
import type { Authorities } from './certificate/authorities.ts';
import type { CertifiedDevices } from './certificate/certified-devices.ts';
import type { VerifyInDirectory } from './certificate/directory.ts';
import type { VerifyToken } from './entra/token.ts';
import type { SigningTenant } from './signature/signature.ts';
import { createReloaded, type OnReload, type Reloaded } from './watched-files.ts';

export type TenantIdentity = SigningTenant & {
  id: string;
  /** Null if no authority's certificates are accepted. */
  authorities: Reloaded<Authorities> | null;
  /** Null if certificates are not accepted. */
  devices: CertifiedDevices | null;
  /** Null if Entra tokens are not accepted. */
  entra: { tenantId: string; verify: VerifyToken } | null;
  close: () => void;
};

export type TenantIdentityParts = {
  clock: () => number;
  reloaded: OnReload;
  /** Null if the certificates that Entra issues to devices are not accepted. */
  verifyInDirectory: VerifyInDirectory | null;
  openVerifyToken: (entra: EntraConfig) => Promise<VerifyToken>;
};

/** @throws CannotStart if a certificate cannot be used */
export async function openTenantIdentity(
  { id, groupKeys, devices: certified, entra }: Pick<TenantConfig, 'id' | 'groupKeys' | 'devices' | 'entra'>,
  { clock, reloaded, verifyInDirectory, openVerifyToken }: TenantIdentityParts,
): Promise<TenantIdentity> {
  const authorities = certified && (await openAuthorities(certified, reloaded));
  const certificates =
    authorities || verifyInDirectory ? await openCertificates(authorities, verifyInDirectory, clock) : null;
  return {
    id,
    groupKeys: groupKeys.map((key) => createSecretKey(Buffer.from(key.reveal(), 'base64'))),
    authorities: authorities && authorities.files,
    devices: certificates && certificates.devices,
    findSigner: certificates && certificates.findSigner,
    entra: entra && { tenantId: entra.tenantId, verify: await openVerifyToken(entra) },
    close: () => authorities?.files.close(),
  };
}

/** The certificate library is slow to load, so it is loaded only if devices have certificates. */
async function openAuthorities(
  { authoritiesFile, rule }: NonNullable<TenantConfig['devices']>,
  reloaded: OnReload,
): Promise<{ files: Reloaded<Authorities>; rule: typeof rule }> {
  const { parseAuthorities } = await import('./certificate/authorities.ts');
  return { files: createReloaded([authoritiesFile], parseAuthorities, reloaded), rule };
}

async function openCertificates(
  authorities: Awaited<ReturnType<typeof openAuthorities>> | null,
  verifyInDirectory: VerifyInDirectory | null,
  clock: () => number,
) {
  const { createCertifiedDevices } = await import('./certificate/certified-devices.ts');
  const { createFindSigner } = await import('./signature/find-signer.ts');
  const devices = createCertifiedDevices(authorities, verifyInDirectory);
  return { devices, findSigner: createFindSigner(devices, clock) };
}

// Who may call, from the environment: TLS, device certificates, trusted proxies, Entra tokens.
import { isIP } from 'node:net';
import { z } from 'zod';
import { parseDeviceIdRule, type DeviceIdRule } from '../domain/submission/device-certificate.ts';

export type Subnet = { address: string; prefix: number };

/** A tenant and the authority that signs its tokens. */
export type EntraTenant = {
  /** https, without a trailing slash. */
  authorityHost: string;
  /** A GUID in lower case, as tokens name their tenant only by its GUID. */
  tenantId: string;
};

export type EntraConfig = EntraTenant & { audiences: readonly string[] };

export type IdentityConfig = {
  /** Null: the listener uses plain HTTP. */
  tls: { certificateFile: string; keyFile: string } | null;
  /** Null: certificates are not accepted. */
  devices: { authoritiesFile: string; rule: DeviceIdRule } | null;
  /** The header field in which our proxies forward client certificates, in lower case. */
  clientCertificateHeader: string;
  trustedProxies: Subnet[];
  /** Null: Entra tokens are not accepted. */
  entra: EntraConfig | null;
};

const guid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** In which devices show the certificate they sign with. */
const DEVICE_FIELDS = ['device-certificate', 'device-certificate-chain'];
const split = (text: string) => text.split(',').map((part) => part.trim());

export const identityVariables = {
  TLS_CERT_FILE: z.string().optional(),
  TLS_KEY_FILE: z.string().optional(),
  DEVICE_CA_FILE: z.string().optional(),
  DEVICE_ID_FROM_CERT: z
    .string()
    .refine(
      (text) => parseDeviceIdRule(text) !== null,
      'must be cn, san-dns, either with a pattern, a pattern as in san-uri:urn:device:{id}, or intune-mdm',
    )
    .default('cn'),
  INTUNE_TENANT_ID: z.string().regex(guid, 'must be a GUID').optional(),
  TRUSTED_PROXIES: z
    .string()
    .refine(
      (text) => split(text).every((part) => toSubnet(part) !== null),
      'must be addresses or subnets as in 10.0.0.0/8, separated by commas',
    )
    .transform((text) => split(text).flatMap((part) => toSubnet(part) ?? []))
    .optional(),
  CLIENT_CERT_HEADER: z
    .string()
    .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/, 'must be the name of a header field')
    .transform((name) => name.toLowerCase())
    // Proxies pass these on as callers wrote them: believing them would need no key.
    .refine((name) => !DEVICE_FIELDS.includes(name), 'must not be a header field in which devices send certificates')
    .default('client-cert'),
  ENTRA_AUDIENCE: z
    .string()
    .refine(
      (text) => split(text).every((part) => /^[!-~]{1,256}$/.test(part)),
      'must be application id URIs or client ids, separated by commas',
    )
    .transform(split)
    .optional(),
};

type IdentityEnvironment = z.infer<z.ZodObject<typeof identityVariables>> & { AZURE_TENANT_ID?: string | undefined };

/** Variables the API requires, given what else is set. */
export function missingIdentity(env: Record<string, unknown>): string[] {
  const { AZURE_TENANT_ID: tenantId = '', DEVICE_ID_FROM_CERT: rule } = env;
  const isGuid = guid.test(String(tenantId));
  const proofs = ['DEVICE_GROUP_KEYS', 'DEVICE_CA_FILE', 'DEVICE_DIRECTORY', 'ENTRA_AUDIENCE'];
  const isDeviceProof = proofs.some((name) => name in env);
  return [
    ...(isDeviceProof ? [] : ['DEVICE_GROUP_KEYS is required']),
    ...missingTls(env),
    ...(rule === 'intune-mdm' && !('INTUNE_TENANT_ID' in env) && !isGuid
      ? ['INTUNE_TENANT_ID is required with intune-mdm, unless AZURE_TENANT_ID is a GUID']
      : []),
    ...('ENTRA_AUDIENCE' in env && !isGuid ? ['AZURE_TENANT_ID is required with ENTRA_AUDIENCE, as a GUID'] : []),
  ];
}

/** Certificate and key belong together. */
export function missingTls(env: Record<string, unknown>): string[] {
  return [
    ...('TLS_CERT_FILE' in env && !('TLS_KEY_FILE' in env) ? ['TLS_KEY_FILE is required with TLS_CERT_FILE'] : []),
    ...('TLS_KEY_FILE' in env && !('TLS_CERT_FILE' in env) ? ['TLS_CERT_FILE is required with TLS_KEY_FILE'] : []),
  ];
}

export function toIdentity(env: IdentityEnvironment, authorityHost: string): IdentityConfig {
  const tenantId = env.AZURE_TENANT_ID?.toLowerCase() ?? '';
  return {
    tls:
      env.TLS_CERT_FILE !== undefined && env.TLS_KEY_FILE !== undefined
        ? { certificateFile: env.TLS_CERT_FILE, keyFile: env.TLS_KEY_FILE }
        : null,
    devices: toDevices(env, tenantId),
    clientCertificateHeader: env.CLIENT_CERT_HEADER,
    trustedProxies: env.TRUSTED_PROXIES ?? [],
    entra:
      env.ENTRA_AUDIENCE && guid.test(tenantId) ? { authorityHost, tenantId, audiences: env.ENTRA_AUDIENCE } : null,
  };
}

function toDevices(env: IdentityEnvironment, tenantId: string): IdentityConfig['devices'] {
  const rule = parseDeviceIdRule(env.DEVICE_ID_FROM_CERT);
  if (env.DEVICE_CA_FILE === undefined || !rule) return null;
  return {
    authoritiesFile: env.DEVICE_CA_FILE,
    rule: rule.from === 'intune-mdm' ? { ...rule, tenantId: env.INTUNE_TENANT_ID?.toLowerCase() ?? tenantId } : rule,
  };
}

/** An address is a subnet of one. A subnet of all addresses is refused, as it would trust everyone. */
function toSubnet(text: string): Subnet | null {
  const [, address = '', digits] = /^([0-9A-Fa-f.:]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const bits = { 0: 0, 4: 32, 6: 128 }[isIP(address)] ?? 0;
  const prefix = digits === undefined ? bits : Number(digits);
  return bits > 0 && prefix >= 1 && prefix <= bits ? { address, prefix } : null;
}

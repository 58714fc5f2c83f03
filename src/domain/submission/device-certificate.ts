// Derives the device id from a client certificate: one rule for the whole fleet, which exactly one name must match.
import { deviceIdSchema } from './run-result.ts';

/** The name consists of a prefix, the device id and a suffix; `intune-mdm` reads Intune's own extensions instead. */
export type DeviceIdRule =
  { from: 'san-uri' | 'san-dns' | 'cn'; before: string; after: string } | { from: 'intune-mdm'; tenantId: string };

/** The parts of a certificate that rules read. */
export type CertificateNames = {
  commonNames: readonly string[];
  dnsNames: readonly string[];
  uris: readonly string[];
  /** The raw values of all extensions with this object identifier. */
  extensions: (oid: string) => readonly Uint8Array[];
};

export type CertificateDevice = { ok: true; deviceId: string } | { ok: false; reason: string };

/**
 * Microsoft documents neither. Source: MSEndpointMgr, “Unpacking the Microsoft Intune MDM certificate”. One authority
 * issues for all tenants, so a certificate proves nothing until its tenant has been compared.
 */
const INTUNE_DEVICE_OID = '1.2.840.113556.5.4';
const INTUNE_TENANT_OID = '1.2.840.113556.5.14';

const PLACE = '{id}';

/** `cn` or `san-dns` with an optional pattern, `san-uri:` with a pattern (`san-uri:urn:device:{id}`), or `intune-mdm`. */
export function parseDeviceIdRule(text: string): DeviceIdRule | null {
  if (text === 'intune-mdm') return { from: 'intune-mdm', tenantId: '' };
  const { from, pattern = PLACE } = /^(?<from>cn|san-dns|san-uri)(?::(?<pattern>.+))?$/.exec(text)?.groups ?? {};
  const [before, after, ...more] = pattern.split(PLACE);
  if (before === undefined || after === undefined || more.length > 0) return null;
  if (from === 'cn' || from === 'san-dns') return { from, before, after };
  // A URI always begins with its scheme, which cannot be part of a device id.
  return from === 'san-uri' && before !== '' ? { from, before, after } : null;
}

/** Reads the device id; a certificate with two matching names identifies no device. */
export function identifyDevice(rule: DeviceIdRule, names: CertificateNames): CertificateDevice {
  if (rule.from === 'intune-mdm') return identifyIntuneDevice(rule.tenantId, names);
  const { before, after } = rule;
  const fitting = namesFrom(rule.from, names).filter(
    (name) => name.length > before.length + after.length && name.startsWith(before) && name.endsWith(after),
  );
  return toDevice(fitting.map((name) => name.slice(before.length, name.length - after.length)));
}

function namesFrom(from: 'san-uri' | 'san-dns' | 'cn', names: CertificateNames): readonly string[] {
  switch (from) {
    case 'san-uri':
      return names.uris;
    case 'san-dns':
      return names.dnsNames;
    case 'cn':
      return names.commonNames;
  }
}

function identifyIntuneDevice(tenantId: string, { extensions }: CertificateNames): CertificateDevice {
  const tenants = extensions(INTUNE_TENANT_OID).map(readGuid);
  if (tenants.length !== 1 || tenants[0] !== tenantId.toLowerCase()) {
    return { ok: false, reason: 'the certificate is not of our Intune tenant' };
  }
  return toDevice(extensions(INTUNE_DEVICE_OID).map(readGuid));
}

function toDevice([id, ...more]: readonly (string | null)[]): CertificateDevice {
  const deviceId = deviceIdSchema.safeParse(id);
  return deviceId.success && more.length === 0
    ? { ok: true, deviceId: deviceId.data }
    : { ok: false, reason: 'the certificate does not name exactly one device' };
}

/** 16 bytes, optionally wrapped in an OCTET STRING; the first three groups of the GUID are little-endian. */
function readGuid(value: Uint8Array): string | null {
  const tagged = value.length === 18 && value[0] === 0x04 && value[1] === 0x10;
  const bytes = tagged ? value.subarray(2) : value;
  if (bytes.length !== 16) return null;
  const hex = (from: number, to: number) =>
    Array.from(bytes.subarray(from, to), (byte) => byte.toString(16).padStart(2, '0'));
  const little = (from: number, to: number) => hex(from, to).reverse().join('');
  const big = (from: number, to: number) => hex(from, to).join('');
  return [little(0, 4), little(4, 6), little(6, 8), big(8, 10), big(10, 16)].join('-');
}

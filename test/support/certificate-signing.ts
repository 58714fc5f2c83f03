// A device that signs with a certificate, as the contract describes it: by hand, from the RFC and node:crypto only.
import { constants, createPrivateKey, sign as signBytes, type SignKeyObjectInput } from 'node:crypto';
import type { Made } from './certificates.ts';
import { DEVICE_ID, digestOf } from './device.ts';

/** How Node signs as RFC 9421, section 3.3 says. */
const ALGORITHMS: Record<string, [hash: string | null, options: Partial<SignKeyObjectInput>]> = {
  'rsa-v1_5-sha256': ['sha256', { padding: constants.RSA_PKCS1_PADDING }],
  'rsa-pss-sha512': ['sha512', { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 }],
  'ecdsa-p256-sha256': ['sha256', { dsaEncoding: 'ieee-p1363' }],
  'ecdsa-p384-sha384': ['sha384', { dsaEncoding: 'ieee-p1363' }],
  ed25519: [null, {}],
};

export type CertificateSigning = {
  certificate: Pick<Made, 'der' | 'keyPem'>;
  /** What is signed with, if not the certificate's own key. */
  keyPem?: string;
  alg?: string;
  /** What is really computed, if not `alg`. */
  by?: [hash: string | null, options: Partial<SignKeyObjectInput>];
  method?: string;
  path?: string;
  /** Null if the method has no body. */
  body: string | Buffer | null;
  deviceId?: string;
  tenant?: string;
  createdS?: number;
  /** The text between the parentheses. */
  components?: string;
  /** The text after the parentheses. */
  parameters?: string;
  label?: string;
  /** The value of Device-Certificate. */
  field?: string;
  chain?: readonly Pick<Made, 'der'>[];
};

export const toField = ({ der }: Pick<Made, 'der'>) => `:${der.toString('base64')}:`;

/** The headers of a signed request; changed parts are signed consistently. */
export function signWithCertificate({
  certificate,
  keyPem = certificate.keyPem,
  alg = 'ecdsa-p256-sha256',
  by = ALGORITHMS[alg] ?? ['sha256', {}],
  method = 'POST',
  path = '/v1/run-results',
  body,
  deviceId = DEVICE_ID,
  tenant,
  createdS = Math.floor(Date.now() / 1000),
  components = `"@method" "@path" ${body === null ? '' : '"content-digest" '}"device-certificate"`,
  parameters = `;created=${createdS};keyid="${tenant === undefined ? deviceId : `${tenant}/${deviceId}`}";alg="${alg}"`,
  label = 'device',
  field = toField(certificate),
  chain = [],
}: CertificateSigning): Record<string, string> {
  const digest = body === null ? '' : digestOf(body);
  const values: Record<string, string> = {
    '"@method"': method,
    '"@path"': path,
    '"content-digest"': digest,
    '"device-certificate"': field,
  };
  const lines = components.split(' ').map((component) => `${component}: ${values[component] ?? ''}\n`);
  const base = `${lines.join('')}"@signature-params": (${components})${parameters}`;
  const [hash, options] = by;
  const signature = signBytes(hash, Buffer.from(base, 'latin1'), { key: createPrivateKey(keyPem), ...options });
  return {
    ...(body !== null && { 'Content-Digest': digest }),
    'Device-Certificate': field,
    ...(chain.length > 0 && { 'Device-Certificate-Chain': chain.map(toField).join(', ') }),
    'Signature-Input': `${label}=(${components})${parameters}`,
    Signature: `${label}=:${signature.toString('base64')}:`,
  };
}

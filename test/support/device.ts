// A device as the contract describes it: run result and signature by hand, from the RFC and node:crypto only.
import { createHash, createHmac } from 'node:crypto';

export const GROUP_KEY = '8isrFI1sGsIlvvFSSFRiMfCNzv21fjbE/+ah/lSh3lF8e2YG1Te7w1KpZhJFFXJrqYKi9yegxkqIChbqOS9Egw==';
export const OLD_GROUP_KEY = 'b2xkIGdyb3VwIGtleSwgc3RpbGwgZ29vZA==';
export const DEVICE_ID = 'BER-LAT-0001';
export const CONFIGURATION_ID = '0b7f0e7a-3f5e-4c8e-9a53-3a1f5d2c7e01';

/** A valid run result: all required members and one optional one. */
export function runResult(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    runId: 'run-1',
    deviceId: DEVICE_ID,
    hardwareConfigurationId: CONFIGURATION_ID,
    deviceName: 'BER-LAT-0001',
    policyVersion: 4,
    completedAt: '2026-11-20T10:00:00.1234500+01:00',
    exitCode: 0,
    output: 'Änderungen übernommen',
    ...changes,
  };
}

export type Signing = {
  method?: string;
  path?: string;
  /** Null if the method has no body. */
  body: string | Buffer | null;
  deviceId?: string;
  /** In the key id; none for the default tenant. */
  tenant?: string;
  groupKey?: string;
  createdS?: number;
  /** The text between the parentheses. */
  components?: string;
  /** The text after the parentheses. */
  parameters?: string;
  label?: string;
  digest?: string;
  /** The values of further components, by their text between the parentheses. */
  values?: Record<string, string>;
};

export type SignatureHeaders = { 'Signature-Input': string; Signature: string; 'Content-Digest'?: string };

const nowS = () => Math.floor(Date.now() / 1000);

export const digestOf = (body: string | Buffer) => `sha-256=:${createHash('sha256').update(body).digest('base64')}:`;

/** The headers of a signed request; changed parts are signed consistently. */
export function sign({
  method = 'POST',
  path = '/v1/run-results',
  body,
  deviceId = DEVICE_ID,
  tenant,
  groupKey = GROUP_KEY,
  createdS = nowS(),
  components = body === null ? '"@method" "@path"' : '"@method" "@path" "content-digest"',
  parameters = `;created=${createdS};keyid="${tenant === undefined ? deviceId : `${tenant}/${deviceId}`}";alg="hmac-sha256"`,
  label = 'device',
  digest = body === null ? '' : digestOf(body),
  values: further = {},
}: Signing): SignatureHeaders {
  const values: Record<string, string> = {
    '"@method"': method,
    '"@path"': path,
    '"content-digest"': digest,
    '"content-type"': 'application/json',
    ...further,
  };
  let base = '';
  for (const component of components.split(' ').filter((name) => name !== '')) {
    base += component + ': ' + (values[component] ?? values[component.replace(/;.*/, '')] ?? '') + '\n';
  }
  base += '"@signature-params": (' + components + ')' + parameters;
  const deviceKey = createHmac('sha256', Buffer.from(groupKey, 'base64')).update(deviceId).digest();
  const signature = createHmac('sha256', deviceKey).update(base, 'latin1').digest('base64');
  return {
    ...(body !== null && { 'Content-Digest': digest }),
    'Signature-Input': label + '=(' + components + ')' + parameters,
    Signature: label + '=:' + signature + ':',
  };
}

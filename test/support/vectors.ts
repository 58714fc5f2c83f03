// The vectors that every implementation of a device's side is held to: test/vectors, described in its README.
import { readFileSync } from 'node:fs';

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), 'utf8'));

export type MaskingVector = { name: string; input: string; output: string };
export const MASKING = read('masking') as MaskingVector[];

type Repeated<Part> = (Part & { times: number })[];
export const ENCODINGS = read('encodings') as {
  texts: { name: string; bytes: string; codePage?: number; text: string }[];
  caps: { name: string; parts: Repeated<{ bytes: string }>; text: Repeated<{ text: string }> }[];
};

/** As given on a command line. */
type GivenResult = { name: string; exitCode?: string; state?: string };
export const EXIT_CODES = read('exit-codes') as {
  accepted: (GivenResult & { sent: object; stored: object; runState: string })[];
  refused: GivenResult[];
};

export type VectorKey =
  | { algorithm: 'hmac-sha256'; deviceKey: string }
  | { algorithm: 'hmac-sha256'; deviceKey: string; groupKey: string }
  | {
      algorithm: 'rsa-v1_5-sha256' | 'ecdsa-p256-sha256';
      certificate: string;
      privateKey: string;
      certificateField: string;
    };
export const SIGNATURES = read('signatures') as {
  derivedKeys: { name: string; groupKey: string; deviceId: string; deviceKey: string }[];
  keys: Record<string, VectorKey>;
  requests: {
    name: string;
    key: string;
    method: 'GET' | 'POST';
    url: string;
    body?: string;
    deviceId: string;
    tenant?: string;
    created: number;
    contentDigest?: string;
    signatureInput: string;
    base: string;
    signature: string;
  }[];
};

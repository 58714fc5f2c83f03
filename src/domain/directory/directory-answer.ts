// What came of a question to the directory about one device.
import type { DirectoryDevice } from './directory-device.ts';

/** Why the directory answers nobody: these hold every question until a probe is answered. */
export const DIRECTORY_HOLD_REASONS = ['refused', 'credential-refused', 'unavailable'] as const;
export type DirectoryHoldReason = (typeof DIRECTORY_HOLD_REASONS)[number];

export type DirectoryAnswer =
  | { kind: 'found'; device: DirectoryDevice; pauseMs: number }
  | { kind: 'not-found'; pauseMs: number }
  /** Graph said not before; null if it did not say when. */
  | { kind: 'throttled'; retryAfterMs: number | null; detail: string }
  /** Concerns every question: the permission, the credential, or the way to Graph. */
  | { kind: 'held'; reason: DirectoryHoldReason; detail: string }
  /** May be the fault of this question alone. */
  | { kind: 'failed'; detail: string };

export const DIRECTORY_OUTCOMES = [
  'found',
  'not-found',
  'throttled',
  'held',
  'failed',
] as const satisfies readonly DirectoryAnswer['kind'][];
export type DirectoryOutcome = (typeof DIRECTORY_OUTCOMES)[number];

/** What an operator can do about a hold of the directory. */
export const DIRECTORY_REMEDIES: Record<DirectoryHoldReason, string> = {
  refused:
    'Grant the app registration that asks (DIRECTORY_CLIENT_ID, else AZURE_CLIENT_ID) the application permission Device.Read.All with admin consent, and see that no Conditional Access policy blocks it.',
  'credential-refused':
    'The credential cannot be used: the token endpoint refuses it, or its file is not usable. Renew it, or correct AZURE_TENANT_ID and DIRECTORY_CLIENT_ID (AZURE_CLIENT_ID where the directory has no credential of its own); where the detail names a file, correct that file.',
  unavailable:
    'Graph’s directory cannot be reached or answers with errors. Check network, proxy (HTTPS_PROXY, NO_PROXY), DNS and Microsoft’s service health. Where the detail speaks of a certificate, set NODE_EXTRA_CA_CERTS to the PEM file of the authority that inspects TLS in your network.',
};

/** Nobody asks the directory until a probe is answered. Instants are milliseconds since 1970. */
export type DirectoryHold = {
  reason: DirectoryHoldReason;
  detail: string;
  since: number;
  probes: number;
  probeAt: number;
};

const PROBE = { firstMs: 2000, longestMs: 30_000 };

/** The wait before the next probe: doubles from 2 s to 30 s, of which the second half is left to chance. @param dice from 0 to 1 */
export const probeDelayMs = (probes: number, dice: number): number =>
  Math.min(PROBE.firstMs * 2 ** Math.min(probes, 10), PROBE.longestMs) * (0.5 + dice / 2);

const THROTTLE = { baseMs: 2000, longestBackoffMs: 300_000, longestMs: 3_600_000 };

/**
 * How long nobody asks after the directory throttled: as it said, but no less than a backoff that grows from throttle to throttle,
 * so that "now" again and again is still a wait. No longer than an hour: one question an hour does no harm, and a wrong
 * instant would keep new devices out for years.
 * @param retryAfterMs null if it did not say
 * @param dice from 0 to 1
 */
export function throttleMs(retryAfterMs: number | null, { inARow, dice }: { inARow: number; dice: number }): number {
  const backoffMs = Math.min(THROTTLE.baseMs * 2 ** Math.min(inARow, 10), THROTTLE.longestBackoffMs) * (0.5 + dice / 2);
  return Math.min(THROTTLE.longestMs, Math.max(retryAfterMs ?? 0, backoffMs));
}

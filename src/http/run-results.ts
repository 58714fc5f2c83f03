// POST /v1/run-results: verify → parse → accept, and the receipt.
import type { RequestHandler } from 'express';
import { within } from '../deadline.ts';
import type { Delivery } from '../domain/delivery.ts';
import { parseRunResult, type RunResult } from '../domain/run-result.ts';
import type { VerifyDevice } from './credentials.ts';
import { queueUnavailable, Refused } from './problem.ts';

/** What became of a run result. Rejects where the queue does not answer; then nothing is promised. */
export type Accept = (
  run: RunResult,
  now: number,
) => Promise<{ kind: 'accepted' | 'duplicate'; delivery: Delivery } | { kind: 'conflict' }>;

export type SubmissionParts = {
  verifyDevice: VerifyDevice;
  accept: Accept;
  clock: () => number;
  random: () => number;
  /** The queue did not answer, and why. */
  onQueueTrouble: (error: unknown) => void;
};

/** Both commands of an acceptance together; a caller hears no within 2 s. */
const ACCEPT_WITHIN_MS = 1800;

const utf8 = new TextDecoder('utf-8', { fatal: true });

export function postRunResult(parts: SubmissionParts): RequestHandler {
  const { verifyDevice, clock } = parts;
  return async (req, res) => {
    // The body reader takes application/json only and leaves anything else unread.
    if (!Buffer.isBuffer(req.body) || !isUtf8(req.headers['content-type'] ?? '')) {
      throw new Refused({ code: 'unsupported-media-type', detail: 'send application/json in UTF-8, not encoded' });
    }
    const body = req.body;
    const signer = await verifyDevice({
      method: req.method,
      url: req.originalUrl,
      headersDistinct: req.headersDistinct,
      body,
    });
    if (!signer.ok) {
      res.locals['reason'] = signer.reason;
      throw new Refused({ code: 'unauthenticated', detail: 'the request must be signed with this device’s key, now' });
    }
    res.locals['deviceId'] = signer.deviceId;
    const run = parseSubmission(body, signer.deviceId);
    const now = clock();
    const accepted = await within(parts.accept(run, now), ACCEPT_WITHIN_MS).catch((error: unknown) => {
      parts.onQueueTrouble(error);
      throw queueUnavailable('nothing is promised; send it again later', parts.random);
    });
    if (accepted.kind === 'conflict') {
      throw new Refused({ code: 'run-id-reused', detail: 'this device already used this runId for another result' });
    }
    const { delivery, kind } = accepted;
    res.locals['deliveryId'] = delivery.id;
    res.locals['duplicate'] = kind === 'duplicate';
    res.setHeader('Location', `/v1/deliveries/${delivery.id}`);
    res.status(kind === 'accepted' ? 202 : 200).json(toReceipt(delivery, kind === 'duplicate'));
  };
}

/** What a device gets for a run result that is stored. */
function toReceipt(delivery: Delivery, duplicate: boolean) {
  return {
    deliveryId: delivery.id,
    runId: delivery.runId,
    status: delivery.status,
    duplicate,
    acceptedAt: new Date(delivery.acceptedAt).toISOString(),
  };
}

function parseSubmission(body: Buffer, signer: string): RunResult {
  const json = parseJson(body);
  const claimed = typeof json === 'object' && json !== null ? (json as { deviceId?: unknown }).deviceId : undefined;
  if (typeof claimed === 'string' && claimed !== signer) {
    throw new Refused({ code: 'wrong-device', detail: 'deviceId is not the device that signed the request' });
  }
  const parsed = parseRunResult(json);
  if (!parsed.ok) {
    throw new Refused({
      code: 'invalid-run-result',
      detail: `${parsed.faults.length} ${parsed.faults.length === 1 ? 'fault' : 'faults'}; see errors`,
      faults: parsed.faults,
    });
  }
  return parsed.runResult;
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(utf8.decode(body));
  } catch {
    throw new Refused({ code: 'invalid-json', detail: 'the body is not JSON in UTF-8' });
  }
}

function isUtf8(contentType: string): boolean {
  const charset = /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(contentType)?.[1];
  return charset === undefined || /^utf-?8$/i.test(charset);
}

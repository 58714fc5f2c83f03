// POST /v1/run-results: verify → parse → accept, and the receipt.
import type { RequestHandler } from 'express';
import { answerJson } from './answer.ts';
import { isUtf8, parseJson } from './json.ts';
import { Refused } from './problem.ts';
import { beginSubmissions, type SubmissionParts } from './submission.ts';

const UNSIGNED = 'the request must be signed with this device’s key, now';

export function postRunResult(parts: SubmissionParts): RequestHandler {
  return async (req, res) => {
    // The body reader takes application/json only and leaves anything else unread.
    if (!Buffer.isBuffer(req.body) || !isUtf8(req.headers['content-type'] ?? '')) {
      throw new Refused({ code: 'unsupported-media-type', detail: 'send application/json in UTF-8, not encoded' });
    }
    const body = req.body;
    const caller = await parts.callers.identify(req, res, { accept: ['device', 'relay'], body, hint: UNSIGNED });
    const submissions = beginSubmissions(parts, caller, res);
    if (caller.kind === 'device') await submissions.keepRate(caller.deviceId);
    const run = submissions.parse(parseJson(body));
    res.locals['deviceId'] = run.deviceId;
    if (caller.kind === 'relay') await submissions.keepRate(run.deviceId);
    const receipt = await submissions.store(run);
    res.locals['deliveryId'] = receipt.deliveryId;
    res.locals['duplicate'] = receipt.duplicate;
    res.setHeader('Location', `/v1/deliveries/${receipt.deliveryId}`);
    answerJson(res, receipt.duplicate ? 200 : 202, receipt);
  };
}

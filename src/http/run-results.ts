// POST /v1/run-results: parse → accept, and the receipt.
import type { RequestHandler } from 'express';
import { answerJson } from './answer.ts';
import { parseJson } from './json.ts';
import { Refused } from './problem.ts';
import { beginSubmissions, type SubmissionParts } from './submission.ts';
import { submitterOf } from './submitter.ts';

const HINT = 'send application/json in UTF-8, not encoded';

/** What is expected of the body. */
export const RUN_RESULT = { types: ['application/json'], codings: [], hint: HINT };

export function postRunResult(parts: SubmissionParts): RequestHandler {
  return async (req, res) => {
    // There may be no body at all, whatever the head says.
    if (!Buffer.isBuffer(req.body)) throw new Refused({ code: 'unsupported-media-type', detail: HINT });
    const body = req.body;
    const caller = submitterOf(res, parts.callers, body);
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

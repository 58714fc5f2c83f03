// POST /v1/run-results: parse → accept, and the receipt.
import type { RequestHandler } from 'express';
import { answerJson } from '../response/json-response.ts';
import { basePathOf } from '../request/base-path.ts';
import { parseJson } from '../request/json.ts';
import { beginSubmissions, parseSubmission, type SubmissionParts } from '../request/submission.ts';
import { submitterOf } from '../request/submitter.ts';

/** What is expected of the body. */
export const RUN_RESULT = {
  types: ['application/json'],
  codings: [],
  hint: 'send application/json in UTF-8, not encoded',
};

export function postRunResult(parts: SubmissionParts): RequestHandler {
  return async (req, res) => {
    const body = req.body as Buffer;
    const caller = submitterOf(res, parts.callers, body);
    const submissions = beginSubmissions(parts, res);
    if (caller.kind === 'device') await submissions.keepRate(caller.deviceId, 1);
    const submission = parseSubmission(parseJson(body), caller, parts.callers);
    const { deviceId } = submission.run;
    res.locals['deviceId'] = deviceId;
    if (caller.kind === 'relay') await submissions.keepRate(deviceId, 1);
    const receipt = await submissions.store(submission);
    res.locals['deliveryId'] = receipt.deliveryId;
    res.locals['duplicate'] = receipt.duplicate;
    res.setHeader('Location', `${basePathOf(res)}/v1/deliveries/${receipt.deliveryId}`);
    answerJson(res, receipt.duplicate ? 200 : 202, receipt);
  };
}

// POST /v1/run-results: parse, store, receipt.
import type { RequestHandler } from 'express';
import { answerJson } from '../response/json-response.ts';
import { contextOf } from '../request/context.ts';
import { parseJson } from '../request/json.ts';
import { beginSubmissions, parseSubmission, type SubmissionParts } from '../request/submission.ts';
import { submitterOf } from '../request/submitter.ts';
import { tenantOf } from '../tenants/tenant-of.ts';

/** The bodies this route accepts. */
export const RUN_RESULT = {
  types: ['application/json'],
  codings: [],
  hint: 'send application/json in UTF-8, not encoded',
};

export function postRunResult(parts: SubmissionParts): RequestHandler {
  return async (req, res) => {
    const context = contextOf(res);
    const body = req.body as Buffer;
    const caller = submitterOf(res, parts.callers, body);
    const submissions = beginSubmissions(parts, res);
    if (caller.kind === 'device') await submissions.keepRate(caller.deviceId, 1);
    const { isRevoked } = tenantOf(res, parts.tenants).revocations;
    const submission = parseSubmission(parseJson(body), caller, isRevoked);
    const { deviceId } = submission.run;
    context.deviceId = deviceId;
    if (caller.kind === 'relay') await submissions.keepRate(deviceId, 1);
    const receipt = await submissions.store(submission);
    context.deliveryId = receipt.deliveryId;
    context.duplicate = receipt.duplicate;
    res.setHeader('Location', `${context.basePath}/v1/deliveries/${receipt.deliveryId}`);
    answerJson(res, receipt.duplicate ? 200 : 202, receipt);
  };
}

// POST /v1/run-results/batch: many run results signed as a whole; each gets its own answer, in order.
import type { RequestHandler } from 'express';
import type { Refusal, RefusalCode } from '../../domain/submission/refusal.ts';
import type { BatchAnswer } from '../response/response-schemas.ts';
import { decompress, parseEntries, readEntries, type Read, type ReadParts } from '../request/batch-entries.ts';
import { contextOf } from '../request/context.ts';
import { Refused, toProblem } from '../response/problem.ts';
import { beginSubmissions, type SubmissionParts, type Submissions } from '../request/submission.ts';
import { submitterOf, type Submitter } from '../request/submitter.ts';
import { tenantOf } from '../tenants/tenant-of.ts';

/** What is reported about one entry of a batch. */
export type BatchEntrySummary = {
  requestId: string;
  entry: number;
  tenantId: string | null;
  deviceId: string | null;
  deliveryId: string | null;
  duplicate: boolean;
  refusal: Refusal | null;
};

export type BatchParts = SubmissionParts &
  Pick<ReadParts, 'maxBodyBytes'> & {
    maxBatchBytes: number;
    onEntry: (summary: BatchEntrySummary) => void;
  };

const NDJSON_TYPES = ['application/x-ndjson', 'application/ndjson'];

/** The bodies this route accepts. */
export const BATCH = {
  types: ['application/json', ...NDJSON_TYPES],
  codings: ['gzip'],
  hint: 'send application/json or application/x-ndjson in UTF-8, with no content coding or gzip',
};

/** If every entry was refused for one of these, the whole batch is refused: all of it must be sent again. */
const FOR_ALL: readonly RefusalCode[] = ['queue-unavailable', 'backlog-full', 'too-fast'];

export function postBatch(parts: BatchParts): RequestHandler {
  return async (req, res) => {
    const body = req.body as Buffer;
    const caller = submitterOf(res, parts.callers, body);
    const { coding, requestId } = contextOf(res);
    const content = coding === 'gzip' ? await decompress(body, parts.maxBatchBytes) : body;
    const entries = parseEntries(content, req.is(NDJSON_TYPES) !== false);
    if (caller.kind === 'device') await beginSubmissions(parts, res).keepRate(caller.deviceId, entries.length);
    const { isRevoked } = tenantOf(res, parts.tenants).revocations;
    const read = await readEntries(entries, caller, { ...parts, isRevoked });
    const submissions = beginSubmissions(parts, res);
    const answers = await Promise.all(read.map((entry) => submit(entry, submissions, caller)));
    const refusals = answers.flatMap(({ refusal }) => refusal ?? []);
    const retryAfterS = Math.max(0, ...refusals.map((refusal) => refusal.retryAfterS ?? 0));
    const [first] = refusals;
    if (first && refusals.length === answers.length && refusals.every(({ code }) => FOR_ALL.includes(code))) {
      throw new Refused({ ...first, retryAfterS });
    }
    answers.forEach(({ refusal, receipt, deviceId }, entry) => {
      const { deliveryId = null, duplicate = false } = receipt ?? {};
      parts.onEntry({ requestId, entry, tenantId: caller.tenantId, deviceId, deliveryId, duplicate, refusal });
    });
    if (retryAfterS > 0) res.setHeader('Retry-After', String(Math.ceil(retryAfterS)));
    const answer: BatchAnswer = answers.map(({ receipt, refusal }) =>
      refusal ? toProblem(refusal, requestId) : receipt,
    );
    res.json(answer);
  };
}

type Answered = { deviceId: string | null } & (
  { receipt: Awaited<ReturnType<Submissions['store']>>; refusal: null } | { receipt: null; refusal: Refusal }
);

async function submit(entry: Read, submissions: Submissions, submitter: Submitter): Promise<Answered> {
  const deviceId = 'run' in entry ? entry.run.deviceId : submitter.kind === 'device' ? submitter.deviceId : null;
  try {
    if ('refused' in entry) throw entry.refused;
    if (submitter.kind === 'relay') await submissions.keepRate(entry.run.deviceId, 1);
    return { deviceId, receipt: await submissions.store(entry), refusal: null };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { deviceId, receipt: null, refusal: error.refusal };
  }
}

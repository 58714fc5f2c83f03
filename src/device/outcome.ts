// The outcome of a submission, read from the HTTP response.

/** What the device gets for a run result that was accepted. */
type Receipt = { deliveryId: string; runId: string; status: string; duplicate: boolean; acceptedAt: string };

/** A refusal, from the response's problem+json. */
type Problem = {
  code: string;
  title: string;
  detail: string;
  requestId: string;
  errors: { pointer: string; detail: string }[];
};

export type Refused = {
  kind: 'refused';
  httpStatus: number;
  code: string;
  problem: Partial<Problem>;
  retryAfterMs: number | undefined;
};

/** There was no response, or not one of the bridge's; then with its status. */
export type Unreachable = { kind: 'unreachable'; reason: string; httpStatus?: number };

export type SubmitOutcome =
  { kind: 'accepted'; receipt: Receipt } | { kind: 'duplicate'; receipt: Receipt } | Refused | Unreachable;

/** Reads the answer to a submission. A success without a readable receipt is no success. */
export function toSubmitOutcome(response: Response, bodyText: string, nowMs: number): SubmitOutcome {
  if (!response.ok) return toRefused(response, bodyText, nowMs);
  const receipt = parseObject(bodyText);
  if (!['deliveryId', 'runId', 'status', 'acceptedAt'].every((name) => typeof receipt?.[name] === 'string')) {
    return {
      kind: 'unreachable',
      reason: `answered ${response.status} without a receipt`,
      httpStatus: response.status,
    };
  }
  return { kind: receipt?.['duplicate'] === true ? 'duplicate' : 'accepted', receipt: receipt as Receipt };
}

/** Statuses with which a proxy in front of the bridge may refuse temporarily. */
const LATER_STATUSES = [408, 429];

/** Whether the same request may succeed later, judging by the status. */
export const isLater = (httpStatus: number): boolean => httpStatus >= 500 || LATER_STATUSES.includes(httpStatus);

/** Parses a refusal. A permanent refusal in any other format does not come from the bridge. */
export function toRefused(response: Response, bodyText: string, nowMs: number): Refused | Unreachable {
  const { status: httpStatus } = response;
  const problem = parseProblem(bodyText);
  if (!problem && !isLater(httpStatus)) {
    return { kind: 'unreachable', reason: `answered ${httpStatus}, not as the bridge does`, httpStatus };
  }
  return {
    kind: 'refused',
    httpStatus,
    code: problem?.code ?? `http-${httpStatus}`,
    problem: problem ?? {},
    retryAfterMs: readRetryAfterMs(response.headers.get('retry-after'), nowMs),
  };
}

/** A problem as the bridge writes it, or undefined; members that are not text are left out of its list of errors. */
function parseProblem(text: string): Problem | undefined {
  const problem = parseObject(text);
  if (!['code', 'title', 'detail'].every((name) => typeof problem?.[name] === 'string')) return undefined;
  const listed: unknown[] = Array.isArray(problem?.['errors']) ? problem['errors'] : [];
  return { ...(problem as Problem), errors: listed.filter(isFault) };
}

const isFault = (entry: unknown): entry is Problem['errors'][number] =>
  typeof entry === 'object' &&
  entry !== null &&
  ['pointer', 'detail'].every((name) => typeof (entry as Record<string, unknown>)[name] === 'string');

/** A JSON object's members, or undefined when the text is anything else. */
export function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function readRetryAfterMs(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined;
  if (/^\d+(\.\d+)?$/.test(header)) return Number(header) * 1000;
  const untilMs = Date.parse(header);
  return Number.isNaN(untilMs) ? undefined : Math.max(0, untilMs - nowMs);
}

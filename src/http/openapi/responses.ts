// OpenAPI response objects: a body with an example, or the refusals with their codes.
import { z } from 'zod';
import type { ZodOpenApiResponseObject, ZodOpenApiResponsesObject } from 'zod-openapi';
import { REFUSALS, type RefusalCode } from '../../domain/submission/refusal.ts';
import { problemSchema } from '../response/response-schemas.ts';
import { PROBLEM_TYPE, toProblem } from '../response/problem.ts';

const requestId = z.string().describe('Finds the request in the log. One that the request brought is kept.');
const always = z.object({ 'X-Request-Id': requestId });
const afterwards = z
  .string()
  .regex(/^\d+$/)
  .describe('Seconds, spread at random so that callers do not come back as one.');
const challenge = z.string().describe('`Signature` for devices, `Bearer` or `Basic` for operators.');

/** Codes whose problem lists faults. */
const FAULTY: readonly RefusalCode[] = ['invalid-request', 'invalid-run-result'];
const EXAMPLE_REQUEST_ID = '0d9e2c62-7a55-4f6f-9a3e-5f3a0c1a7b11';

/** Refusals of any route, made before the route is reached. */
const ANYWHERE: readonly RefusalCode[] = [
  'bad-request',
  'not-found',
  'method-not-allowed',
  'request-timeout',
  'url-too-long',
  'headers-too-large',
  'internal-error',
];

const codes = Object.keys(REFUSALS) as RefusalCode[];
const PROBLEMS = new Map(codes.map((code) => [code, toSchema(code)]));

type JsonResponse<T> = { description: string; schema: z.ZodType<T>; example: NoInfer<T>; headers?: z.ZodRawShape };

/** A response with a JSON body. */
export function answers<T>({ description, schema, example, headers = {} }: JsonResponse<T>): ZodOpenApiResponseObject {
  return { description, headers: always.extend(headers), content: { 'application/json': { schema, example } } };
}

/** The same response in other media types, each with what its text is. */
export function alsoAs(
  response: ZodOpenApiResponseObject,
  texts: Readonly<Record<string, string>>,
): ZodOpenApiResponseObject {
  const others = Object.entries(texts).map(([mediaType, what]) => [mediaType, { schema: z.string().describe(what) }]);
  return { ...response, content: { ...response.content, ...(Object.fromEntries(others) as typeof response.content) } };
}

/** A response that is not JSON. */
export function answersText(description: string, mediaType: string): ZodOpenApiResponseObject {
  return { description, headers: always, content: { [mediaType]: { schema: z.string() } } };
}

const ANY_REFUSAL = {
  ...refuses(ANYWHERE),
  id: 'AnyRefusal',
  description: 'Refused before the route was asked, or failed.',
};

/**
 * The refusals of a route by status, and under `default` those of any route.
 * @param headers what they carry beyond what every refusal does
 */
export function refusals(ofThisRoute: readonly RefusalCode[], headers: z.ZodRawShape = {}): ZodOpenApiResponsesObject {
  const byStatus = Object.groupBy(ofThisRoute, (code) => String(REFUSALS[code].status));
  return {
    ...Object.fromEntries(Object.entries(byStatus).map(([status, same = []]) => [status, refuses(same, headers)])),
    default: ANY_REFUSAL,
  };
}

function refuses(same: readonly RefusalCode[], further: z.ZodRawShape = {}): ZodOpenApiResponseObject {
  const statuses = new Set<number>(same.map((code) => REFUSALS[code].status));
  const headers = always.extend({
    ...(statuses.has(401) && { 'WWW-Authenticate': challenge }),
    ...(statuses.has(405) && { Allow: z.string().optional().describe('With 405: the methods that are allowed.') }),
    ...((statuses.has(429) || statuses.has(503)) && { 'Retry-After': afterwards }),
    ...further,
  });
  const [first, ...others] = same.flatMap((code) => PROBLEMS.get(code) ?? []);
  const schema = first && others.length > 0 ? z.discriminatedUnion('code', [first, ...others]) : first;
  const examples = Object.fromEntries(same.map((code) => [code, { value: toExample(code) }]));
  return {
    description: same.map((code) => `\`${code}\`: ${REFUSALS[code].title}.`).join(' '),
    headers,
    content: { [PROBLEM_TYPE]: { ...(schema && { schema }), examples } },
  };
}

function toSchema(code: RefusalCode) {
  const { status, title } = REFUSALS[code];
  const { errors, ...members } = problemSchema.shape;
  return z
    .object({
      ...members,
      type: z.literal(toExample(code).type),
      title: z.literal(title),
      status: z.literal(status),
      code: z.literal(code),
      ...(FAULTY.includes(code) && { errors: errors.unwrap().min(1) }),
    })
    .meta({ id: `Problem.${code}` });
}

function toExample(code: RefusalCode) {
  const faults = FAULTY.includes(code) ? { faults: [{ pointer: '/policyVersion', detail: 'is required' }] } : {};
  return toProblem({ code, detail: 'what in this request was not acceptable', ...faults }, EXAMPLE_REQUEST_ID);
}

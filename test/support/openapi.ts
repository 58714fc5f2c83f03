// The API's OpenAPI document for tests: the documented responses of each operation, and whether a response matches them.
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { expect } from 'vitest';
import { createOpenApi } from '../../src/http/openapi/document.ts';
import type { Answer } from './answer.ts';

type Schema = { $ref?: string; const?: unknown; oneOf?: Schema[]; properties?: Record<string, Schema> } & Record<
  string,
  unknown
>;
export type Content = Record<
  string,
  { schema: Schema; example?: unknown; examples?: Record<string, { value: unknown }> }
>;
export type Response = {
  $ref?: string;
  headers?: Record<string, { required?: boolean; schema: Schema }>;
  content: Content;
};
export type Operation = {
  operationId: string;
  method: string;
  path: string;
  parameters: { in: string; name: string; schema: Schema }[];
  security: Record<string, string[]>[];
  requestBody?: { content: Content };
  responses: Record<string, Response>;
};

/** As served. */
export const DOCUMENT = JSON.parse(JSON.stringify(createOpenApi())) as Record<string, unknown>;

const withParameters = (operation: object) => ({ parameters: [], ...operation }) as unknown as Operation;

export const OPERATIONS: Operation[] = Object.entries(
  DOCUMENT['paths'] as Record<string, Record<string, object>>,
).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ ...withParameters(operation), method, path })),
);

/** The name for responses that any operation may give. */
export const ANY = 'any';

export const ajv = formats.default(new Ajv2020({ strict: false, allErrors: true }));
ajv.addSchema(DOCUMENT, 'document');
ajv.addSchema(close(DOCUMENT), 'closed');

/** Clients must accept additional members in responses; tests must notice them. */
function close(part: unknown): Record<string, unknown> {
  return JSON.parse(
    JSON.stringify(part, (_key, value: unknown) => {
      const schema = value as Schema | null;
      const isObject = typeof schema === 'object' && schema?.['type'] === 'object' && schema.properties !== undefined;
      return isObject ? { additionalProperties: false, ...schema } : value;
    }),
  ) as Record<string, unknown>;
}

/** Follows references (`#/components/…`) within the document. */
export function resolve<T extends { $ref?: string }>(part: T): T {
  if (part.$ref === undefined) return part;
  const found = part.$ref
    .split('/')
    .slice(1)
    .reduce<unknown>((inside, name) => (inside as Record<string, unknown> | undefined)?.[name], DOCUMENT);
  if (found === undefined) throw new Error(`${part.$ref} leads nowhere`);
  return resolve(found as T);
}

/** A validator for a schema of the document. */
export function compile(schema: Schema, document: 'document' | 'closed' = 'document'): ValidateFunction {
  const absolute = JSON.stringify(document === 'closed' ? close(schema) : schema).replaceAll('"#/', `"${document}#/`);
  return ajv.compile(JSON.parse(absolute) as Schema);
}

/** The codes that a refusal's schema allows; none if it is not a refusal. */
function codesOf(schema: Schema): string[] {
  const whole = resolve(schema);
  if (whole.oneOf) return whole.oneOf.flatMap(codesOf);
  const code = whole.properties?.['code']?.const;
  return typeof code === 'string' ? [code] : [];
}

/** All documented responses, as `operation status` or `operation status code`. */
export function documentedAnswers(): string[] {
  const answers = OPERATIONS.flatMap(({ operationId, responses }) =>
    Object.entries(responses).flatMap(([status, response]) => {
      const schemas = Object.values(resolve(response).content).map(({ schema }) => schema);
      const codes = schemas.flatMap(codesOf);
      const name = status === 'default' ? ANY : `${operationId} ${status}`;
      return codes.length === 0 ? [name] : codes.map((code) => `${name} ${code}`);
    }),
  );
  return [...new Set(answers)];
}

/** Asserts that a response is documented: status, media type, body and header fields. */
export function expectDocumented(operationId: string, answer: Answer): void {
  const { responses } = OPERATIONS.find((one) => operationId === ANY || one.operationId === operationId) as Operation;
  const documented = resolve(
    (operationId === ANY ? undefined : responses[answer.status]) ?? (responses['default'] as Response),
  );
  const mediaType = String(answer.headers['content-type']).split(';')[0] ?? '';
  const schema = documented.content[mediaType]?.schema;
  expect(schema, `${operationId} ${answer.status} with ${mediaType}`).toBeDefined();
  const check = compile(schema as Schema, 'closed');
  expect(check(answer.body) ? [] : check.errors, JSON.stringify(answer.body)).toEqual([]);
  expectHeaders(documented, answer.headers);
}

/** Fields of HTTP itself, and those for browsers' handling of pages. */
const EVERYDAY =
  /^(connection|keep-alive|date|content-(type|length)|transfer-encoding|etag|last-modified|accept-ranges|cache-control|vary|content-security-policy|cross-origin-.*|origin-agent-cluster|referrer-policy|x-(content-type-options|dns-prefetch-control|download-options|frame-options|permitted-cross-domain-policies|xss-protection))$/;

function expectHeaders({ headers = {} }: Response, sent: Answer['headers']): void {
  const documented = new Map(Object.entries(headers).map(([name, header]) => [name.toLowerCase(), header]));
  const unknown = Object.keys(sent).filter((name) => !EVERYDAY.test(name) && !documented.has(name));
  expect(unknown).toEqual([]);
  for (const [name, { required = false, schema }] of documented) {
    if (sent[name] === undefined) expect([name, required]).toEqual([name, false]);
    else expect([name, sent[name], compile(schema)(sent[name])]).toEqual([name, sent[name], true]);
  }
}

// The API's document: in form, of every route, its examples good, and true to the parser of run results.
import { METHODS } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseRunResult } from '../../../src/domain/submission/run-result.ts';
import { startTestApp, type TestApp } from '../../support/app.ts';
import { runResult } from '../../support/device.ts';
import { OPENAPI_FORM } from '../../support/openapi-form.ts';
import { ajv, compile, DOCUMENT, OPERATIONS, resolve, type Response } from '../../support/openapi.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { fc } from '../../support/properties.ts';

let redis: TestRedis;
let world: TestApp;

beforeAll(async () => {
  redis = await startTestRedis();
  world = await startTestApp(redis);
});
afterAll(async () => {
  await world.close();
  await redis.close();
});

test('the document · is OpenAPI 3.1 · in form', () => {
  const check = ajv.compile(OPENAPI_FORM);
  expect(check(DOCUMENT) ? [] : check.errors).toEqual([]);
  const ids = OPERATIONS.map(({ operationId }) => operationId);
  expect(new Set(ids).size).toBe(ids.length);
});

test('the document · holds no schema · that is none', () => {
  const contents = OPERATIONS.flatMap(({ parameters }) => parameters.map(({ schema }) => schema));
  const { schemas } = DOCUMENT['components'] as { schemas: Record<string, object> };
  for (const schema of [...contents, ...Object.values(schemas)]) {
    expect(ajv.validateSchema(schema) ? [] : [schema, ajv.errors]).toEqual([]);
    expect(() => compile(schema as never)).not.toThrow();
  }
});

test('the document · names every parameter of a path · and only security schemes that it describes', () => {
  const { securitySchemes } = DOCUMENT['components'] as { securitySchemes: object };
  for (const { path, parameters, security } of OPERATIONS) {
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    expect(parameters.filter((one) => one.in === 'path').map(({ name }) => name)).toEqual(inPath);
    expect(Object.keys(securitySchemes)).toEqual(expect.arrayContaining(security.flatMap(Object.keys)));
  }
});

type Layer = {
  slash?: boolean;
  name: string;
  match: (path: string) => boolean;
  route?: { path: string | string[]; methods: Record<string, boolean> };
  handle: { stack?: Layer[] };
};

/** Pages in the document; what is beneath them is theirs: scripts, styles, and what the page itself asks for. */
const isPage = (response: Response | undefined) => response !== undefined && 'text/html' in resolve(response).content;
const PAGES = OPERATIONS.filter(({ responses }) => isPage(responses['200'])).map(({ path }) => path);
/** Routers mounted beneath a page: Express does not tell of a router where it is. */
const BENEATH_PAGES = ['/docs', '/dashboard/queues'];

const isBeneathPage = (path: string) => PAGES.some((page) => path.startsWith(`${page}/`));

/** Every route of the app that is neither a page's own nor there to refuse other methods. */
function routesOf(stack: Layer[]): string[] {
  return stack.flatMap((layer) => {
    const { route, handle, slash, name } = layer;
    if (route) {
      const paths = [route.path].flat().map((path) => path.replaceAll(/:(\w+)/g, '{$1}'));
      const methods = Object.keys(route.methods).filter((method) => method !== '_all');
      if (methods.length === METHODS.length) return [];
      return paths
        .filter((path) => !isBeneathPage(path))
        .flatMap((path) => methods.map((method) => `${method} ${path}`));
    }
    if (slash === true) return handle.stack ? routesOf(handle.stack) : [];
    return BENEATH_PAGES.some((path) => layer.match(path)) ? [] : [`a router “${name}” mounted beneath no page`];
  });
}

test('the routes · are all in the document · and no others', () => {
  const { router } = world.app as unknown as { router: { stack: Layer[] } };
  const documented = OPERATIONS.map(({ method, path }) => `${method} ${path}`);
  expect([...new Set(routesOf(router.stack))].sort()).toEqual(documented.sort());
});

test('each example · is a good one · of its schema', () => {
  const contents = OPERATIONS.flatMap(({ requestBody, responses }) => [
    ...Object.values(requestBody?.content ?? {}),
    ...Object.values(responses).flatMap((response) => Object.values(resolve(response).content)),
  ]);
  const examples = contents.flatMap(({ schema, example, examples = {} }) => {
    const values = [...(example === undefined ? [] : [example]), ...Object.values(examples).map(({ value }) => value)];
    return values.map((value) => ({ schema, value }));
  });
  expect(examples.length).toBeGreaterThan(OPERATIONS.length);
  for (const { schema, value } of examples) {
    const check = compile(schema, 'closed');
    expect(check(value) ? [] : [value, check.errors]).toEqual([]);
  }
});

test('a run result · is good to the document · exactly where the parser takes it', () => {
  const operation = OPERATIONS.find(({ operationId }) => operationId === 'submitRunResult');
  const check = compile(operation?.requestBody?.content['application/json']?.schema as never);
  const members = [...Object.keys(runResult()), 'osVersion', 'upn', 'state', 'error', 'unknown'];
  const values = fc.oneof(
    fc.constantFrom<unknown>(
      null,
      undefined,
      -1,
      0.5,
      2 ** 31,
      2 ** 32 - 1,
      2 ** 32,
      '',
      'success',
      'x'.repeat(257),
      '😀'.repeat(300),
      [],
      {},
    ),
    fc.constantFrom(
      '2026-02-29T00:00:00Z',
      '2026-11-23T10:15:30.12345678Z',
      '2026-11-23t10:15:30z',
      '2024-02-29T23:59:60Z',
    ),
    fc.constantFrom(
      '2024-02-29T00:00:00.1-23:59',
      '2024-02-29T00:00:00.1-14:00',
      '2024-02-29T00:00:00+14:01',
      '0000-02-29T00:00:00Z',
      'AB1E6D5F-0000-0000-0000-000000000000',
    ),
    fc.integer(),
    fc.string({ unit: 'binary' }),
  );
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...members), values, { maxKeys: 3 }), (changes) => {
      const run: unknown = JSON.parse(JSON.stringify(runResult(changes)));
      expect(check(run)).toBe(parseRunResult(run).ok);
    }),
    { numRuns: 3000 },
  );
});

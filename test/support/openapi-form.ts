// A JSON Schema for OpenAPI 3.1 documents, written from the specification, as far as our document uses it.
import type { AnySchemaObject } from 'ajv';

const text = { type: 'string' };
const ref = (name: string) => ({ $ref: `#/$defs/${name}` });
const listOf = (items: object) => ({ type: 'array', items });
const mapOf = (values: object, names: object = {}) => ({
  type: 'object',
  propertyNames: names,
  additionalProperties: values,
});
const closed = (required: string[], properties: object, further: object = {}) => ({
  type: 'object',
  required,
  properties,
  additionalProperties: false,
  ...further,
});
const componentsOf = (values: object) => mapOf(values, { pattern: '^[a-zA-Z0-9._-]+$' });

/** An object, or a reference to one of the components. */
const orReference = (name: string, kind: string) => ({
  if: { type: 'object', required: ['$ref'] },
  then: closed(['$ref'], { $ref: { pattern: `^#/components/${kind}/` }, description: text }),
  else: ref(name),
});

const examples = mapOf(closed(['value'], { value: true, summary: text, description: text }));

export const OPENAPI_FORM: AnySchemaObject = closed(
  ['openapi', 'info', 'paths'],
  {
    openapi: { pattern: '^3\\.1\\.\\d+$' },
    info: closed(['title', 'version'], {
      title: text,
      version: text,
      summary: text,
      description: text,
      license: closed(['name'], { name: text, identifier: text }),
    }),
    servers: listOf(closed(['url'], { url: text, description: text })),
    tags: listOf(closed(['name'], { name: text, description: text })),
    paths: mapOf(ref('pathItem'), { pattern: '^/' }),
    components: closed([], {
      schemas: componentsOf({ type: 'object' }),
      responses: componentsOf(ref('response')),
      parameters: componentsOf(ref('parameter')),
      headers: componentsOf(ref('header')),
      securitySchemes: componentsOf(ref('securityScheme')),
    }),
    security: ref('security'),
  },
  {
    $defs: {
      pathItem: closed([], {
        get: ref('operation'),
        put: ref('operation'),
        post: ref('operation'),
        delete: ref('operation'),
        patch: ref('operation'),
      }),
      operation: closed(['operationId', 'summary', 'tags', 'security', 'responses'], {
        operationId: { pattern: '^[a-z][A-Za-z]+$' },
        tags: listOf(text),
        summary: text,
        description: text,
        security: ref('security'),
        parameters: listOf(orReference('parameter', 'parameters')),
        requestBody: closed(['content'], { description: text, required: { type: 'boolean' }, content: ref('content') }),
        responses: mapOf(orReference('response', 'responses'), { pattern: '^([1-5][0-9][0-9]|default)$' }),
      }),
      parameter: closed(
        ['name', 'in', 'schema'],
        {
          name: text,
          in: { enum: ['query', 'header', 'path', 'cookie'] },
          description: text,
          required: { type: 'boolean' },
          schema: { type: 'object' },
        },
        {
          if: { properties: { in: { const: 'path' } } },
          then: { required: ['required'], properties: { required: { const: true } } },
        },
      ),
      response: closed(['description'], {
        description: text,
        headers: mapOf(orReference('header', 'headers')),
        content: ref('content'),
      }),
      header: closed(['schema'], { description: text, required: { type: 'boolean' }, schema: { type: 'object' } }),
      content: mapOf(
        closed(
          ['schema'],
          { schema: { type: 'object' }, example: true, examples },
          { not: { required: ['example', 'examples'] } },
        ),
        { pattern: '^[a-z]+/[a-z0-9.+-]+$' },
      ),
      security: listOf(mapOf(listOf(text))),
      securityScheme: {
        oneOf: [
          closed(['type', 'name', 'in'], {
            type: { const: 'apiKey' },
            name: text,
            in: { enum: ['query', 'header', 'cookie'] },
            description: text,
          }),
          closed(['type', 'scheme'], {
            type: { const: 'http' },
            scheme: text,
            bearerFormat: text,
            description: text,
          }),
          closed(['type'], { type: { const: 'mutualTLS' }, description: text }),
        ],
      },
    },
  },
);

// The OpenAPI paths that are open to everyone.
import { z } from 'zod';
import type { ZodOpenApiPathsObject } from 'zod-openapi';
import { readinessSchema } from '../response/response-schemas.ts';
import { answers, answersText, refusals } from './responses.ts';
import * as examples from './examples.ts';

const open = { tags: ['Open to all'], security: [] };

export const openPaths: ZodOpenApiPathsObject = {
  '/livez': {
    get: {
      ...open,
      operationId: 'isAlive',
      summary: 'Whether the process lives; 503 only where a restart helps',
      responses: {
        200: answers({ description: 'It lives.', schema: readinessSchema, example: examples.alive }),
        503: answers({
          description: 'Restart it. Only a worker answers this.',
          schema: readinessSchema,
          example: examples.notAlive,
        }),
        ...refusals([]),
      },
    },
  },
  '/readyz': {
    get: {
      ...open,
      operationId: 'isReady',
      summary: 'Whether submissions are accepted, and what needs an operator',
      responses: {
        200: answers({ description: '`ok` or `degraded`.', schema: readinessSchema, example: examples.ready }),
        503: answers({ description: '`failing`.', schema: readinessSchema, example: examples.notReady }),
        ...refusals([]),
      },
    },
  },
  '/metrics': {
    get: {
      ...open,
      operationId: 'scrapeMetrics',
      summary: 'Metrics for Prometheus',
      responses: { 200: answersText('Prometheus’s text format.', 'text/plain'), ...refusals([]) },
    },
  },
  '/openapi.json': {
    get: {
      ...open,
      operationId: 'readDocument',
      summary: 'This document',
      responses: {
        200: answers({
          description: 'OpenAPI 3.1.',
          schema: z.looseObject({ openapi: z.string() }),
          example: { openapi: '3.1.1' },
        }),
        ...refusals([]),
      },
    },
  },
  '/docs': {
    get: {
      ...open,
      operationId: 'showDocument',
      summary: 'This document as a page',
      responses: { 200: answersText('The page.', 'text/html'), ...refusals([]) },
    },
  },
};

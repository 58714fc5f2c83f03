// The OpenAPI paths of operators.
import { z } from 'zod';
import type { ZodOpenApiOperationObject, ZodOpenApiPathsObject } from 'zod-openapi';
import { deviceIdSchema } from '../../domain/submission/run-result.ts';
import {
  deadLettersSchema,
  purgedSchema,
  replayedSchema,
  revocationSchema,
  revokedSchema,
  statusSchema,
  throttleEndSchema,
} from '../response/response-schemas.ts';
import { answers, answersText, refusals } from './responses.ts';
import * as examples from './examples.ts';
import { querySchema, selectionSchema } from '../routes/operators.ts';

const selection = selectionSchema.meta({
  id: 'DeadLetterSelection',
  description: 'One dead letter, or all that a filter matches; `{"filter":{}}` is all there are.',
});

const selects: ZodOpenApiOperationObject['requestBody'] = {
  required: true,
  content: {
    'application/json': {
      schema: selection,
      examples: {
        one: { value: { deliveryId: examples.dead.deliveryId } satisfies z.input<typeof selection> },
        many: { value: { filter: { code: 'graph-404' }, dryRun: true } satisfies z.input<typeof selection> },
      },
    },
  },
};

const operators = { tags: ['Operators'], security: [{ operatorToken: [] }, { entraToken: [] }] };
const ofDevice = { path: z.object({ deviceId: deviceIdSchema }) };
const always = ['unauthenticated', 'role-missing', 'not-found', 'identity-unavailable', 'queue-unavailable'] as const;
const unreadable = ['invalid-json', 'too-large', 'unsupported-media-type', 'invalid-request'] as const;

export const operatorPaths: ZodOpenApiPathsObject = {
  '/v1/status': {
    get: {
      ...operators,
      operationId: 'readStatus',
      summary: 'How much waits, how long it takes, what holds it and what to do about it',
      responses: { 200: answers('As it is now.', statusSchema, examples.status), ...refusals(always) },
    },
  },
  '/v1/dead-letters': {
    get: {
      ...operators,
      operationId: 'listDeadLetters',
      summary: 'Dead letters, newest first',
      requestParams: { query: querySchema },
      responses: {
        200: answers('A page.', deadLettersSchema, { deadLetters: [examples.dead], nextCursor: null }),
        ...refusals(['invalid-request', ...always]),
      },
    },
  },
  '/v1/dead-letters/replay': {
    post: {
      ...operators,
      operationId: 'replayDeadLetters',
      summary: 'Put dead letters back into the queue, under the same id',
      requestBody: selects,
      responses: {
        200: answers('How many.', replayedSchema, { matched: 3, replayed: 3 }),
        ...refusals([...unreadable, ...always]),
      },
    },
  },
  '/v1/dead-letters/purge': {
    post: {
      ...operators,
      operationId: 'purgeDeadLetters',
      summary: 'Forget dead letters for good',
      requestBody: selects,
      responses: {
        200: answers('How many.', purgedSchema, { matched: 3, purged: 3 }),
        ...refusals([...unreadable, ...always]),
      },
    },
  },
  '/v1/throttle/end': {
    post: {
      ...operators,
      operationId: 'endThrottle',
      summary: 'End Graph’s “not before”, where it asked for an absurd time; nothing else is changed',
      responses: {
        200: answers('Whether there was one.', throttleEndSchema, { ended: true, until: '2083-10-05T00:00:00.000Z' }),
        ...refusals(always),
      },
    },
  },
  '/v1/devices/revoked': {
    get: {
      ...operators,
      operationId: 'listRevokedDevices',
      summary: 'Devices that are not believed any more',
      responses: { 200: answers('All of them.', revokedSchema, { revoked: [examples.revoked] }), ...refusals(always) },
    },
  },
  '/v1/devices/{deviceId}/revoke': {
    post: {
      ...operators,
      operationId: 'revokeDevice',
      summary: 'Believe a device no more, whatever it proves',
      requestParams: ofDevice,
      responses: {
        200: answers('It is revoked.', revocationSchema, { ...examples.revocation, revoked: true }),
        ...refusals(['invalid-request', ...always]),
      },
    },
  },
  '/v1/devices/{deviceId}/restore': {
    post: {
      ...operators,
      operationId: 'restoreDevice',
      summary: 'Believe a device again',
      requestParams: ofDevice,
      responses: {
        200: answers('It is not revoked.', revocationSchema, { ...examples.revocation, revoked: false }),
        ...refusals(['invalid-request', ...always]),
      },
    },
  },
  '/dashboard': {
    get: {
      tags: operators.tags,
      security: [{ operatorPassword: [] }, ...operators.security],
      operationId: 'showDashboard',
      summary: 'The operators’ page',
      responses: {
        200: answersText('The page.', 'text/html'),
        ...refusals(['unauthenticated', 'role-missing', 'not-found', 'identity-unavailable']),
      },
    },
  },
};

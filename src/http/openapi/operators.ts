// The OpenAPI paths of operators.
import { z } from 'zod';
import type { ZodOpenApiOperationObject, ZodOpenApiPathItemObject, ZodOpenApiPathsObject } from 'zod-openapi';
import { deviceIdSchema } from '../../domain/submission/run-result.ts';
import {
  deadLettersSchema,
  deliveryListSchema,
  deviceListSchema,
  expectedDevicesSchema,
  forgottenSchema,
  purgedSchema,
  replayedSchema,
  retirementSchema,
  revocationSchema,
  revokedSchema,
  statusSchema,
  summaryListSchema,
  throttleEndSchema,
} from '../response/response-schemas.ts';
import { replaySchema, replaysSchema, replayStartedSchema } from '../response/replay-schemas.ts';
import { alsoAs, answers, answersText, refusals } from './responses.ts';
import * as examples from './examples.ts';
import { listQuerySchema } from '../routes/delivery-list.ts';
import { deviceQuerySchema, expectedSchema } from '../routes/device-list.ts';
import { querySchema, selectionSchema } from '../routes/operators.ts';
import { replaySelectionSchema } from '../routes/replays.ts';
import { summaryQuerySchema } from '../routes/summaries.ts';
import { tenantQuerySchema } from '../tenants/tenant-of.ts';

const selection = selectionSchema.meta({
  id: 'DeadLetterSelection',
  description: 'One dead letter, or all that a filter matches; `{"filter":{}}` is all there are.',
});

const replaySelection = replaySelectionSchema.meta({
  id: 'ReplaySelection',
  description:
    'One dead letter, or all that a filter matches, at once or a few each second; `{"filter":{}}` is all there are.',
});

const selectsForReplay: ZodOpenApiOperationObject['requestBody'] = {
  required: true,
  content: {
    'application/json': {
      schema: replaySelection,
      examples: {
        one: { value: { deliveryId: examples.dead.deliveryId } satisfies z.input<typeof replaySelection> },
        many: { value: { filter: { code: 'graph-404' }, dryRun: true } satisfies z.input<typeof replaySelection> },
        carefully: { value: { filter: { code: 'expired' }, perSecond: 2 } satisfies z.input<typeof replaySelection> },
      },
    },
  },
};

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
const ofTenant = { query: tenantQuerySchema };
const ofDevice = { ...ofTenant, path: z.object({ deviceId: deviceIdSchema }) };
const always = ['unauthenticated', 'role-missing', 'not-found', 'identity-unavailable', 'queue-unavailable'] as const;
const unreadable = ['invalid-json', 'too-large', 'unsupported-media-type', 'invalid-request'] as const;

function changesReplay(operationId: string, summary: string): ZodOpenApiPathItemObject {
  return {
    post: {
      ...operators,
      operationId,
      summary,
      requestParams: { ...ofTenant, path: z.object({ id: z.string() }) },
      responses: {
        200: answers({ description: 'As it is now.', schema: replaySchema, example: examples.replay }),
        ...refusals(['invalid-request', 'replay-ended', ...always]),
      },
    },
  };
}

export const operatorPaths: ZodOpenApiPathsObject = {
  '/v1/status': {
    get: {
      ...operators,
      operationId: 'readStatus',
      summary: 'How much waits, how long it takes, what holds it and what to do about it',
      requestParams: ofTenant,
      responses: {
        200: answers({ description: 'As it is now.', schema: statusSchema, example: examples.status }),
        ...refusals(always),
      },
    },
  },
  '/v1/deliveries': {
    get: {
      ...operators,
      operationId: 'listDeliveries',
      summary: 'Deliveries of a device or with a status, newest first',
      description:
        'At least one of `deviceId` and `status` is needed. With `Accept: text/csv` or `application/x-ndjson` the answer is a stream of all that match, or of `limit`.',
      requestParams: { query: listQuerySchema },
      responses: {
        200: alsoAs(
          answers({
            description: 'A page.',
            schema: deliveryListSchema,
            example: { deliveries: [examples.delivered], nextCursor: null },
          }),
          {
            'text/csv': 'A line of names, and one for each delivery. No cell begins as a formula does.',
            'application/x-ndjson': 'One delivery a line.',
          },
        ),
        ...refusals(['invalid-request', ...always]),
      },
    },
  },
  '/v1/summaries': {
    get: {
      ...operators,
      operationId: 'listSummaries',
      summary: 'What became of what was accepted, by day and hardware configuration',
      description:
        'At most 400 days, for as long as summaries are kept. With `Accept: text/csv` or `application/x-ndjson` the answer is a stream of all that match, or of `limit`.',
      requestParams: { query: summaryQuerySchema },
      responses: {
        200: alsoAs(
          answers({
            description: 'A page.',
            schema: summaryListSchema,
            example: { summaries: [examples.summary], nextCursor: null },
          }),
          {
            'text/csv': 'A line of names, and one for each summary.',
            'application/x-ndjson': 'One summary a line.',
          },
        ),
        ...refusals(['invalid-request', ...always]),
      },
    },
  },
  '/v1/dead-letters': {
    get: {
      ...operators,
      operationId: 'listDeadLetters',
      summary: 'Dead letters, newest first',
      requestParams: { query: querySchema },
      responses: {
        200: answers({
          description: 'A page.',
          schema: deadLettersSchema,
          example: { deadLetters: [examples.dead], nextCursor: null },
        }),
        ...refusals(['invalid-request', ...always]),
      },
    },
  },
  '/v1/dead-letters/replay': {
    post: {
      ...operators,
      operationId: 'replayDeadLetters',
      summary: 'Put dead letters back into the queue, under the same id',
      requestParams: ofTenant,
      requestBody: selectsForReplay,
      responses: {
        200: answers({ description: 'How many.', schema: replayedSchema, example: { matched: 3, replayed: 3 } }),
        202: answers({
          description: 'It goes on in the background, at the rate that was asked for.',
          schema: replayStartedSchema,
          example: { matched: 1200, replayed: 0, replays: [{ ...examples.replay, replayed: 0, skipped: 0 }] },
        }),
        ...refusals([...unreadable, 'replay-running', ...always]),
      },
    },
  },
  '/v1/replays': {
    get: {
      ...operators,
      operationId: 'listReplays',
      summary: 'The latest replays at a rate, newest first',
      description:
        'The newest 50 of each tenant; those that have ended are kept for 30 days. At most 500 over all tenants.',
      requestParams: ofTenant,
      responses: {
        200: answers({ description: 'Those.', schema: replaysSchema, example: { replays: [examples.replay] } }),
        ...refusals(always),
      },
    },
  },
  '/v1/replays/{id}/pause': changesReplay('pauseReplay', 'Pause a replay: nothing is replayed until it is resumed'),
  '/v1/replays/{id}/resume': changesReplay('resumeReplay', 'Let a paused replay go on, at its rate'),
  '/v1/replays/{id}/cancel': changesReplay('cancelReplay', 'End a replay: what it has not replayed stays dead'),
  '/v1/dead-letters/purge': {
    post: {
      ...operators,
      operationId: 'purgeDeadLetters',
      summary: 'Forget dead letters for good',
      requestParams: ofTenant,
      requestBody: selects,
      responses: {
        200: answers({ description: 'How many.', schema: purgedSchema, example: { matched: 3, purged: 3 } }),
        ...refusals([...unreadable, ...always]),
      },
    },
  },
  '/v1/throttle/end': {
    post: {
      ...operators,
      operationId: 'endThrottle',
      summary: 'End Graph’s “not before”, where it asked for an absurd time; nothing else is changed',
      requestParams: ofTenant,
      responses: {
        200: answers({
          description: 'Whether there was one.',
          schema: throttleEndSchema,
          example: { ended: true, until: '2083-10-05T00:00:00.000Z' },
        }),
        ...refusals(['invalid-request', ...always]),
      },
    },
  },
  '/v1/devices': {
    get: {
      ...operators,
      operationId: 'listDevices',
      summary: 'What each device reported last; who has been silent, who fails again and again',
      description:
        'Newest first, with `failuresInARow` most failures first. With `Accept: text/csv` or `application/x-ndjson` the answer is a stream of all that match, or of `limit`.',
      requestParams: { query: deviceQuerySchema },
      responses: {
        200: alsoAs(
          answers({
            description: 'A page.',
            schema: deviceListSchema,
            example: { devices: [examples.deviceReport], nextCursor: null },
          }),
          {
            'text/csv': 'A line of names, and one for each device. No cell begins as a formula does.',
            'application/x-ndjson': 'One device a line.',
          },
        ),
        ...refusals(['invalid-request', ...always]),
      },
    },
  },
  '/v1/devices/expected': {
    post: {
      ...operators,
      operationId: 'compareExpectedDevices',
      summary: 'Which of these devices never reported, and which have been silent',
      requestParams: ofTenant,
      requestBody: {
        required: true,
        content: {
          'application/json': {
            schema: expectedSchema,
            example: { deviceIds: ['LAPTOP-0042', 'LAPTOP-0043'], silentForH: 48 },
          },
        },
      },
      responses: {
        200: answers({
          description: 'Those that are missing.',
          schema: expectedDevicesSchema,
          example: { neverReported: ['LAPTOP-0043'], silent: [] },
        }),
        ...refusals([...unreadable, ...always]),
      },
    },
  },
  '/v1/devices/revoked': {
    get: {
      ...operators,
      operationId: 'listRevokedDevices',
      summary: 'Devices that are not believed any more',
      requestParams: ofTenant,
      responses: {
        200: answers({ description: 'All of them.', schema: revokedSchema, example: { revoked: [examples.revoked] } }),
        ...refusals(always),
      },
    },
  },
  '/v1/devices/{deviceId}/revoke': {
    post: {
      ...operators,
      operationId: 'revokeDevice',
      summary: 'Believe a device no more, whatever it proves',
      requestParams: ofDevice,
      responses: {
        200: answers({
          description: 'It is revoked.',
          schema: revocationSchema,
          example: { ...examples.revocation, revoked: true },
        }),
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
        200: answers({
          description: 'It is not revoked.',
          schema: revocationSchema,
          example: { ...examples.revocation, revoked: false },
        }),
        ...refusals(['invalid-request', ...always]),
      },
    },
  },
  '/v1/devices/{deviceId}/retire': {
    post: {
      ...operators,
      operationId: 'retireDevice',
      summary: 'Forget what a device reported',
      description:
        'It is no longer listed, as silent or otherwise, and is a new device if it reports again. Its deliveries stay as they are.',
      requestParams: ofDevice,
      responses: {
        200: answers({ description: 'It is retired.', schema: retirementSchema, example: examples.retirement }),
        ...refusals(['invalid-request', ...always]),
      },
    },
  },
  '/v1/devices/{deviceId}/forget': {
    post: {
      ...operators,
      operationId: 'forgetDevice',
      summary: 'Forget what the directory said about a device, and ask again now',
      requestParams: ofDevice,
      responses: {
        200: answers({ description: 'It is forgotten.', schema: forgottenSchema, example: examples.forgotten }),
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

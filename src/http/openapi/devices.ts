// The OpenAPI paths of devices.
import { z } from 'zod';
import type { ZodOpenApiPathsObject } from 'zod-openapi';
import { runResultSchema } from '../../domain/submission/run-result.ts';
import { batchSchema, deliverySchema, receiptSchema } from '../response/response-schemas.ts';
import { MAX_ENTRIES } from '../request/batch-entries.ts';
import { answers, refusals } from './responses.ts';
import * as examples from './examples.ts';
import { tenantQuerySchema } from '../tenants/tenant-of.ts';

/** The covered components, as in Signature-Input. */
const signatureInput = (components: string) =>
  z.string().meta({
    description: 'With a signature: what is signed, when and by whom. See the security scheme.',
    examples: [`device=(${components});created=1795425331;keyid="LAPTOP-0042";alg="hmac-sha256"`],
  });
const contentDigest = z.string().meta({
  description: 'With a signature: SHA-256 of the body’s bytes (RFC 9530).',
  examples: ['sha-256=:q6uJTKl2+SK0mFZ0hbIyHt7eGg0oWVpAEkAMEnHNwrY=:'],
});

const submissionHeaders = z.object({
  'Signature-Input': signatureInput('"@method" "@path" "content-digest"').optional(),
  'Content-Digest': contentDigest.optional(),
});

/** draft-ietf-httpapi-ratelimit-headers; not sent without a rate limit or for an unknown device. */
const rate = {
  'RateLimit-Policy': z.string().optional().meta({ description: 'How many submissions a device has in a window.' }),
  RateLimit: z.string().optional().meta({ description: 'How many are left, and until the next window.' }),
};
const located = {
  ...rate,
  Location: z.string().meta({ format: 'uri-reference', description: 'The delivery: ask it what became of the run.' }),
};

const says = (member: string) => ({ required: [member], properties: { [member]: { not: { type: 'null' as const } } } });

const submittedRunResult = runResultSchema.meta({
  id: 'RunResult',
  description:
    'One run as its device reports it. Members it does not know are ignored; null is the same as leaving a member out.',
  anyOf: [says('state'), says('exitCode')],
});

export const devicePaths: ZodOpenApiPathsObject = {
  '/v1/run-results': {
    post: {
      operationId: 'submitRunResult',
      tags: ['Devices'],
      summary: 'Submit a run result',
      description:
        'Send it until it was answered 202 or 200. Sent again it is the same delivery: a run is known by `deviceId` and `runId`.',
      security: [{ deviceSignature: [] }, { deviceCertificate: [] }, { entraToken: [] }],
      requestParams: { header: submissionHeaders },
      requestBody: {
        required: true,
        content: { 'application/json': { schema: submittedRunResult, example: examples.runResult } },
      },
      responses: {
        202: answers({ description: 'Stored.', schema: receiptSchema, example: examples.receipt, headers: located }),
        200: answers({
          description: 'Known already, with the same content: the same receipt with its present status.',
          schema: receiptSchema,
          example: { ...examples.receipt, status: 'delivered', duplicate: true },
          headers: located,
        }),
        ...refusals(
          [
            'invalid-json',
            'unauthenticated',
            'wrong-device',
            'role-missing',
            'run-id-reused',
            'too-large',
            'unsupported-media-type',
            'invalid-run-result',
            'too-fast',
            'backlog-full',
            'overloaded',
            'identity-unavailable',
            'queue-unavailable',
          ],
          rate,
        ),
      },
    },
  },
  '/v1/run-results/batch': {
    post: {
      operationId: 'submitBatch',
      tags: ['Devices'],
      summary: 'Submit many run results',
      description:
        'For relays, and for agents that were offline: signed as a whole, over the bytes as they are sent. A device may only submit its own; a relay’s token lets it submit for any. Each entry is answered for itself, in order: a receipt, or a problem.',
      security: [{ deviceSignature: [] }, { deviceCertificate: [] }, { entraToken: [] }],
      requestParams: {
        header: submissionHeaders.extend({ 'Content-Encoding': z.enum(['identity', 'gzip']).optional() }),
      },
      requestBody: {
        required: true,
        content: {
          'application/json': {
            schema: z.array(submittedRunResult).max(MAX_ENTRIES),
            example: [examples.runResult],
          },
          'application/x-ndjson': { schema: z.string().describe('One run result a line.') },
        },
      },
      responses: {
        200: answers({
          description: 'Each entry’s answer, in order.',
          schema: batchSchema,
          example: [examples.receipt],
          headers: {
            ...rate,
            'Retry-After': z.string().optional().describe('Where an entry is to be sent again later: seconds.'),
          },
        }),
        ...refusals(
          [
            'invalid-json',
            'unauthenticated',
            'role-missing',
            'too-large',
            'unsupported-media-type',
            'invalid-request',
            'too-fast',
            'backlog-full',
            'overloaded',
            'identity-unavailable',
            'queue-unavailable',
          ],
          rate,
        ),
      },
    },
  },
  '/v1/deliveries/{id}': {
    get: {
      operationId: 'findDelivery',
      tags: ['Devices', 'Operators'],
      summary: 'What became of a run result',
      description:
        'For the device that submitted it, or an operator. To anyone else it does not exist. Of one that was delivered longer than `DELIVERED_KEPT_H` ago only that is still known: `compacted`.',
      security: [{ deviceSignature: [] }, { deviceCertificate: [] }, { entraToken: [] }, { operatorToken: [] }],
      requestParams: {
        path: z.object({ id: z.string().meta({ description: '`deliveryId` of the receipt.' }) }),
        query: tenantQuerySchema,
        header: z.object({ 'Signature-Input': signatureInput('"@method" "@path"').optional() }),
      },
      responses: {
        200: answers({
          description: 'The delivery as it is now.',
          schema: deliverySchema,
          example: examples.delivered,
        }),
        ...refusals([
          'unauthenticated',
          'role-missing',
          'not-found',
          'overloaded',
          'identity-unavailable',
          'queue-unavailable',
        ]),
      },
    },
  },
};

// The whole route table of the API on one screen.
import type { Express } from 'express';
import { createBareApp, endRoutes, only, type BareAppParts } from './bare-app.ts';
import { takeOffBasePath, type BasePathParts } from './request/base-path.ts';
import { expectBody, readBody } from './request/body.ts';
import { BATCH, postBatch, type BatchParts } from './routes/batch.ts';
import { getDelivery, identifyAsker, type DeliveryParts } from './routes/deliveries.ts';
import { createDeliveryListRoutes } from './routes/delivery-list.ts';
import { createDashboardRoutes, type DashboardParts } from './dashboard/dashboard.ts';
import { createDeviceListRoutes } from './routes/device-list.ts';
import { createDeviceRoutes, type DeviceParts } from './routes/devices.ts';
import { createDocsRoutes } from './openapi/docs.ts';
import { createHealthRoutes, HEALTH_ROUTES, type HealthParts } from './routes/health.ts';
import { limitInFlight, type InFlightParts } from './request/in-flight.ts';
import { createOperatorRoutes, type OperatorParts } from './routes/operators.ts';
import { createThrottleRoutes, type ThrottleParts } from './routes/throttle.ts';
import { createReplayRoutes } from './routes/replays.ts';
import { postRunResult, RUN_RESULT } from './routes/run-results.ts';
import { createSummaryRoutes } from './routes/summaries.ts';
import { identifySubmitter } from './request/submitter.ts';
import { traceAs, type TraceParts } from './request/trace.ts';

export type AppParts = BatchParts &
  DeliveryParts &
  OperatorParts &
  ThrottleParts &
  DeviceParts &
  DashboardParts &
  InFlightParts &
  TraceParts &
  BasePathParts &
  HealthParts &
  BareAppParts;

/** A batch may be large, so few are processed at once. */
const BATCHES_IN_FLIGHT = 8;

export function createApp(parts: AppParts): Express {
  const app = createBareApp(parts).use(takeOffBasePath(parts));
  const { maxBodyBytes, maxBatchBytes, maxRequestsInFlight } = parts;
  const submitter = identifySubmitter(parts.callers);
  const inFlight = limitInFlight(parts);
  const batches = limitInFlight({ ...parts, maxRequestsInFlight: Math.min(BATCHES_IN_FLIGHT, maxRequestsInFlight) });

  app
    .route('/v1/run-results')
    .post(
      traceAs('/v1/run-results', parts),
      expectBody({ ...RUN_RESULT, limit: maxBodyBytes }),
      submitter,
      inFlight,
      readBody(maxBodyBytes),
      postRunResult(parts),
    )
    .all(only('POST'));
  app
    .route('/v1/run-results/batch')
    .post(
      traceAs('/v1/run-results/batch', parts),
      expectBody({ ...BATCH, limit: maxBatchBytes }),
      submitter,
      batches,
      readBody(maxBatchBytes),
      postBatch(parts),
    )
    .all(only('POST'));
  app
    .route('/v1/deliveries/:id')
    .get(identifyAsker(parts.callers), inFlight, getDelivery(parts))
    .all(only('GET, HEAD'));
  app.use(createDeliveryListRoutes(parts));
  app.use(createDeviceListRoutes(parts));
  app.use(createSummaryRoutes(parts));
  app.use(createOperatorRoutes(parts));
  app.use(createReplayRoutes(parts));
  app.use(createThrottleRoutes(parts));
  app.use(createDeviceRoutes(parts));
  app.use(createHealthRoutes(parts));
  app.use(createDocsRoutes());
  app.use(createDashboardRoutes(parts));
  app.all(['/openapi.json', '/docs', ...HEALTH_ROUTES], only('GET, HEAD'));
  if (parts.callers.haveOperators) {
    app.all(
      [
        '/v1/deliveries',
        '/v1/devices',
        '/v1/devices/revoked',
        '/v1/dead-letters',
        '/v1/replays',
        '/v1/status',
        '/v1/summaries',
      ],
      only('GET, HEAD'),
    );
    app.all(
      ['/v1/devices/expected', '/v1/dead-letters/replay', '/v1/dead-letters/purge', '/v1/throttle/end'],
      only('POST'),
    );
    app.all(['/v1/replays/:id/pause', '/v1/replays/:id/resume', '/v1/replays/:id/cancel'], only('POST'));
    app.all(
      ['revoke', 'restore', 'retire', 'forget'].map((change) => `/v1/devices/:deviceId/${change}`),
      only('POST'),
    );
  }

  return endRoutes(app, parts);
}

// The whole route table on one screen.
import express, { type Express, type RequestHandler } from 'express';
import { takeOffBasePath, type BasePathParts } from './request/base-path.ts';
import { expectBody, readBody } from './request/body.ts';
import { BATCH, postBatch, type BatchParts } from './routes/batch.ts';
import { getDelivery, identifyAsker, type DeliveryParts } from './routes/deliveries.ts';
import { createDashboardRoutes, type DashboardParts } from './dashboard/dashboard.ts';
import { createDeviceRoutes, type DeviceParts } from './routes/devices.ts';
import { createDocsRoutes } from './openapi/docs.ts';
import { limitHead } from './request/limit-head.ts';
import { createHealthRoutes, type HealthParts } from './routes/health.ts';
import { limitInFlight, type InFlightParts } from './request/in-flight.ts';
import { createErrorHandler, Refused } from './response/problem.ts';
import { createRequestLog } from './request/request.ts';
import type { RequestSummary } from './request/request-summary.ts';
import { createOperatorRoutes, type OperatorParts } from './routes/operators.ts';
import { createThrottleRoutes, type ThrottleParts } from './routes/throttle.ts';
import { postRunResult, RUN_RESULT } from './routes/run-results.ts';
import { identifySubmitter } from './request/submitter.ts';
import { traceAs, type TraceParts } from './request/trace.ts';
import { setSecurityHeaders } from './response/security-headers.ts';

export type AppParts = BatchParts &
  DeliveryParts &
  OperatorParts &
  ThrottleParts &
  DeviceParts &
  DashboardParts &
  InFlightParts &
  TraceParts &
  BasePathParts &
  HealthParts & {
    /** An answer went out. */
    onAnswer: (told: RequestSummary) => void;
    onDefect: (error: unknown) => void;
  };

/** A batch may be large, so few are in hand at once. */
const BATCHES_IN_FLIGHT = 8;

const HEALTH = ['/livez', '/readyz', '/metrics'];

export function createApp(parts: AppParts): Express {
  const app = createBareApp(parts.onAnswer).use(takeOffBasePath(parts));
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
  app.use(createOperatorRoutes(parts));
  app.use(createThrottleRoutes(parts));
  app.use(createDeviceRoutes(parts));
  app.use(createHealthRoutes(parts));
  app.use(createDocsRoutes());
  app.use(createDashboardRoutes(parts));
  app.all(['/openapi.json', '/docs', ...HEALTH], only('GET, HEAD'));
  if (parts.callers.haveOperators) {
    app.all(['/v1/dead-letters', '/v1/status', '/v1/devices/revoked'], only('GET, HEAD'));
    app.all(['/v1/dead-letters/replay', '/v1/dead-letters/purge', '/v1/throttle/end'], only('POST'));
    app.all(['/v1/devices/:deviceId/revoke', '/v1/devices/:deviceId/restore'], only('POST'));
  }

  return close(app, parts.onDefect);
}

/** A worker's listener: health and metrics only. */
export function createHealthApp(parts: HealthParts & Pick<AppParts, 'onAnswer' | 'onDefect'>): Express {
  const app = createBareApp(parts.onAnswer);
  app.use(createHealthRoutes(parts));
  app.all(HEALTH, only('GET, HEAD'));
  return close(app, parts.onDefect);
}

function createBareApp(onAnswer: AppParts['onAnswer']): Express {
  const app = express();
  app.disable('x-powered-by').disable('etag').set('query parser', 'simple').set('case sensitive routing', true);
  app.use(setSecurityHeaders, createRequestLog(onAnswer), limitHead());
  return app;
}

function close(app: Express, onDefect: AppParts['onDefect']): Express {
  app.use(() => {
    throw new Refused({ code: 'not-found', detail: 'there is no such route' });
  });
  app.use(createErrorHandler(onDefect));
  return app;
}

function only(methods: string): RequestHandler {
  return (_req, res) => {
    res.setHeader('Allow', methods);
    throw new Refused({ code: 'method-not-allowed', detail: `allowed: ${methods}` });
  };
}

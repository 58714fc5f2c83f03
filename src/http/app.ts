// The whole route table on one screen.
import express, { type Express, type RequestHandler } from 'express';
import { getDelivery, type DeliveryParts } from './deliveries.ts';
import { createHealthRoutes, type HealthParts } from './health.ts';
import { createErrorHandler, Refused } from './problem.ts';
import { createRequestLog, type RequestTold } from './request.ts';
import { createOperatorRoutes, type OperatorParts } from './operators.ts';
import { postRunResult, type SubmissionParts } from './run-results.ts';

export type AppParts = SubmissionParts &
  DeliveryParts &
  OperatorParts &
  HealthParts & {
    maxBodyBytes: number;
    /** An answer went out. */
    onAnswer: (told: RequestTold) => void;
    onDefect: (error: unknown) => void;
  };

const HEALTH = ['/livez', '/readyz', '/metrics'];

export function createApp(parts: AppParts): Express {
  const app = createBareApp(parts.onAnswer);
  const body = express.raw({ type: 'application/json', limit: parts.maxBodyBytes, inflate: false });

  app.route('/v1/run-results').post(body, postRunResult(parts)).all(only('POST'));
  app.route('/v1/deliveries/:id').get(getDelivery(parts)).all(only('GET, HEAD'));
  app.use(createOperatorRoutes(parts));
  app.use(createHealthRoutes(parts));
  app.all(['/v1/dead-letters', '/v1/status', ...HEALTH], only('GET, HEAD'));
  app.all(['/v1/dead-letters/replay', '/v1/dead-letters/purge'], only('POST'));

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
  app.use(createRequestLog(onAnswer));
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

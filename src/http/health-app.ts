// A worker's routes: health and metrics only. Loads nothing that only the API serves.
import type { Express } from 'express';
import { createBareApp, endRoutes, only, type BareAppParts } from './bare-app.ts';
import { createHealthRoutes, HEALTH_ROUTES, type HealthParts } from './routes/health.ts';

export function createHealthApp(parts: HealthParts & BareAppParts): Express {
  const app = createBareApp(parts);
  app.use(createHealthRoutes(parts));
  app.all([...HEALTH_ROUTES], only('GET, HEAD'));
  return endRoutes(app, parts);
}

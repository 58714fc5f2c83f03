// /livez, /readyz and /metrics: open to everyone, the same for API and worker.
import { Router } from 'express';
import type { Readiness } from '../response/response-schemas.ts';

export type HealthParts = {
  /** False if only a restart helps. */
  isAlive: () => boolean;
  readiness: () => Promise<Readiness>;
  /** Prometheus text and its content type. */
  metrics: () => Promise<{ contentType: string; text: string }>;
};

export const HEALTH_ROUTES = ['/livez', '/readyz', '/metrics'] as const;

export function createHealthRoutes({ isAlive, readiness, metrics }: HealthParts): Router {
  const router = Router();
  router.get('/livez', (_req, res) => {
    const ok = isAlive();
    const detail = ok ? 'runs' : 'takes no jobs although some are waiting; restart it';
    res.status(ok ? 200 : 503).json({ status: ok ? 'ok' : 'failing', checks: { process: { ok, detail } } });
  });
  router.get('/readyz', async (_req, res) => {
    const ready = await readiness();
    res.status(ready.status === 'failing' ? 503 : 200).json(ready);
  });
  router.get('/metrics', async (_req, res) => {
    const { contentType, text } = await metrics();
    res.setHeader('Content-Type', contentType);
    res.send(text);
  });
  return router;
}

// /dashboard/queues: bull-board's view of the BullMQ queue, read only; jobs hold only ids.
import { createBullBoard } from '@bull-board/api';
import { ExpressAdapter } from '@bull-board/express';
import { Router, type Express, type RequestHandler } from 'express';
import { contextOf } from '../request/context.ts';
import { boardPolicy } from './browser-policy.ts';
import { Refused } from '../response/problem.ts';
import { notCrossSite } from '../request/same-origin.ts';

export type Board = Parameters<typeof createBullBoard>[0]['queues'][number];

export type BoardParts = { board: Board };

const BASE = '/dashboard/queues';

export function createBoardRoutes({ board }: BoardParts): Router {
  const adapter = new ExpressAdapter().setBasePath(BASE);
  createBullBoard({
    queues: [board],
    serverAdapter: adapter,
    options: { uiConfig: { boardTitle: 'runstate-bridge', hideRedisDetails: true } },
  });
  const app = adapter.getRouter() as Express;
  app.disable('x-powered-by').disable('etag');
  const router = Router();
  router.use(boardPolicy, readOnly, notCrossSite, withoutInlineStyle, app);
  return router;
}

const readOnly: RequestHandler = (req, res, next) => {
  if (req.method === 'GET' || req.method === 'HEAD') {
    next();
    return;
  }
  res.setHeader('Allow', 'GET, HEAD');
  throw new Refused({ code: 'method-not-allowed', detail: 'the raw view is to read only' });
};

/** Bull-board's page links fonts on another host and has inline styles; our content security policy allows neither. */
const withoutInlineStyle: RequestHandler = (_req, res, next) => {
  const send = res.send.bind(res);
  const toOurs = (html: string) =>
    toStrict(html).replace(`<base href="${BASE}`, `<base href="${contextOf(res).basePath}${BASE}`);
  res.send = (body: unknown) => send(typeof body === 'string' && body.startsWith('<!DOCTYPE') ? toOurs(body) : body);
  next();
};

const toStrict = (html: string): string =>
  html
    .replaceAll(/<link href="https:[^>]*>/g, '')
    .replaceAll(/<style>.*?<\/style>/gs, '')
    .replaceAll(/ style="[^"]*"/g, '');

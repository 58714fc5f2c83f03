// What every answer says to a browser that should come by: take it for nothing but what it is, show it in no page, keep no copy.
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { RequestHandler } from 'express';
import helmet from 'helmet';

/** These answers are data: what helmet has for pages says nothing about them, and whatever ends TLS decides on HSTS. */
const policy = helmet({
  contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
  frameguard: { action: 'deny' },
  crossOriginOpenerPolicy: false,
  originAgentCluster: false,
  strictTransportSecurity: false,
  xDnsPrefetchControl: false,
  xDownloadOptions: false,
  xPermittedCrossDomainPolicies: false,
  xPoweredBy: false,
  xXssProtection: false,
});

/** The same for every answer, also where no request was read that a middleware could see. A route for browsers says otherwise. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = { 'cache-control': 'no-store', ...readPolicy() };

const HEADERS = Object.entries(SECURITY_HEADERS);

export const setSecurityHeaders: RequestHandler = (_req, res, next) => {
  for (const [name, value] of HEADERS) res.setHeader(name, value);
  next();
};

function readPolicy(): Record<string, string> {
  const req = new IncomingMessage(new Socket());
  const res = new ServerResponse(req);
  policy(req, res, () => undefined);
  return Object.fromEntries(Object.entries(res.getHeaders()).map(([name, value]) => [name, String(value)]));
}

// Requests a browser sends with the operator's password on its own: only those that our own page asked for are heard.
import type { Request, RequestHandler } from 'express';
import { readBearer } from '../identity/operator-token.ts';
import { Refused } from '../response/problem.ts';

/** Refuses what another site's page had the browser ask, where the browser says so. For reading. */
export const notCrossSite: RequestHandler = (req, _res, next) => {
  if (req.headers['sec-fetch-site'] !== undefined && !isFromOurPage(req)) throw crossSite();
  next();
};

/** Demands a sign that our own page asked. For changing. A bearer token is such a sign: browsers never add one. */
export const sameOriginOnly: RequestHandler = (req, _res, next) => {
  const isBearer = readBearer(req.headers.authorization) !== null;
  if (!isBearer && !isFromOurPage(req)) throw crossSite();
  if (!req.is('application/json')) {
    throw new Refused({ code: 'unsupported-media-type', detail: 'send application/json' });
  }
  next();
};

/**
 * Browsers say where a request comes from, in `Sec-Fetch-Site` over TLS and to this machine, else in `Origin` alone. A
 * proxy that changes `Host` leaves the first.
 */
function isFromOurPage({ headers }: Request): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin' || site === 'none';
  const { origin, host } = headers;
  return origin !== undefined && URL.canParse(origin) && new URL(origin).host === host;
}

const crossSite = () =>
  new Refused({ code: 'cross-site', detail: 'only this service’s own page may ask this with a password' });

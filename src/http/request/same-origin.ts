// Protects against cross-site requests, which browsers send with the operator's password: only our own page may send any.
import type { Request, RequestHandler } from 'express';
import { readBearer } from '../identity/operator-token.ts';
import { Refused } from '../response/problem.ts';

/** For reads: refuses requests that the browser marks as cross-site. */
export const notCrossSite: RequestHandler = (req, _res, next) => {
  if (req.headers['sec-fetch-site'] !== undefined && !isFromOurPage(req)) throw crossSite();
  next();
};

/** For writes: requires proof that our own page sent it. A bearer token is proof: browsers never add it by themselves. */
export const sameOriginOnly: RequestHandler = (req, _res, next) => {
  const isBearer = readBearer(req.headers.authorization) !== null;
  if (!isBearer && !isFromOurPage(req)) throw crossSite();
  if (!req.is('application/json')) {
    throw new Refused({ code: 'unsupported-media-type', detail: 'send application/json' });
  }
  next();
};

/**
 * Browsers state the origin of a request in `Sec-Fetch-Site` over TLS and on localhost, otherwise only in `Origin`. A proxy
 * that rewrites `Host` leaves the former intact.
 */
function isFromOurPage({ headers }: Request): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin' || site === 'none';
  const { origin, host } = headers;
  return origin !== undefined && URL.canParse(origin) && new URL(origin).host === host;
}

const crossSite = () =>
  new Refused({ code: 'cross-site', detail: 'only this service’s own page may ask this with a password' });

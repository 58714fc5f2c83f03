// What every answer says to a browser that should come by: take it for nothing but what it is, show it in no page, keep no copy.
import type { RequestHandler } from 'express';

/** A route that has something for browsers says otherwise for itself. */
export const SECURITY_HEADERS = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
} as const;

const HEADERS = Object.entries(SECURITY_HEADERS);

export const setSecurityHeaders: RequestHandler = (_req, res, next) => {
  for (const [name, value] of HEADERS) res.setHeader(name, value);
  next();
};

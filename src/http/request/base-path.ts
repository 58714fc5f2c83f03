// The base path the service is reached under: PUBLIC_BASE_PATH, or X-Forwarded-Prefix from a trusted proxy.
import type { Request, RequestHandler } from 'express';
import { parseBasePath } from '../../domain/submission/base-path.ts';
import type { IsTrustedProxy } from '../identity/certificate/trusted-proxies.ts';
import { contextOf } from './context.ts';

export type BasePathParts = {
  /** Without a trailing slash; empty at the root. */
  basePath: string;
  isProxy: IsTrustedProxy;
};

/** Where a route begins: anything before it may be a base path, even `/v1`. */
const OUR_ROUTES = /^\/(?:v1|livez|readyz|metrics|openapi\.json|docs|dashboard)(?:[/?#]|$)/;
/** Scheme and host of the absolute form that proxies may send. */
const ORIGIN = /^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i;

/**
 * Finds the base path of a request and strips it from the URL, unless the proxy already has. From here on `url` is one of
 * our routes; `originalUrl` stays as requested.
 */
export function takeOffBasePath({ basePath, isProxy }: BasePathParts): RequestHandler {
  return (req, res, next) => {
    const forwarded = isProxy(req.socket.remoteAddress) ? readForwardedPrefix(req) : null;
    const bases = [...new Set([forwarded ?? '', basePath])].filter((base) => base !== '');
    if (bases.length > 0) {
      const [origin = ''] = ORIGIN.exec(req.url) ?? [];
      const path = req.url.slice(origin.length);
      const route = bases.map((base) => routeBelow(base, path)).find((found) => found !== null) ?? path;
      const urls = [path, route, ...bases.map((base) => base + route)].map((one) => origin + one);
      req.url = origin + route;
      const context = contextOf(res);
      context.basePath = forwarded ?? basePath;
      context.signedUrls = [...new Set(urls)];
    }
    next();
  };
}

function routeBelow(base: string, path: string): string | null {
  const route = path.startsWith(`${base}/`) ? path.slice(base.length) : '';
  return OUR_ROUTES.test(route) ? route : null;
}

/** Several prefixes, each stripped by one proxy, are joined in the order of the request. Null without a valid one. */
function readForwardedPrefix({ headersDistinct }: Request): string | null {
  const prefixes = (headersDistinct['x-forwarded-prefix'] ?? []).flatMap((value) => value.split(','));
  const paths = prefixes.map((prefix) => parseBasePath(prefix.trim()));
  return paths.length === 0 || paths.includes(null) ? null : parseBasePath(`${paths.join('')}/`);
}

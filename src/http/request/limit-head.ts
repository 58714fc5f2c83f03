// Limits the length of the URL and the number of header fields.
import type { RequestHandler } from 'express';
import { Refused } from '../response/problem.ts';

/** Half the size limit of a request's head; no route has such a long URL. */
const MAX_URL_LENGTH = 8192;
const MAX_HEADER_FIELDS = 100;

export function limitHead(): RequestHandler {
  return (req, _res, next) => {
    if (req.url.length > MAX_URL_LENGTH) {
      throw new Refused({ code: 'url-too-long', detail: `an address has at most ${MAX_URL_LENGTH} characters` });
    }
    if (req.rawHeaders.length > 2 * MAX_HEADER_FIELDS) {
      throw new Refused({ code: 'headers-too-large', detail: `send at most ${MAX_HEADER_FIELDS} header fields` });
    }
    next();
  };
}

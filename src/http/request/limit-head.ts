// What a request may say before its body: an address that is no essay, and header fields one can count.
import type { RequestHandler } from 'express';
import { Refused } from '../response/problem.ts';

/** Half of what all of a request’s head may be: whatever is longer names nothing here. */
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

// A body's bytes, of one media type and up to so many: read without ado where its head says all, else by Express.
import type { IncomingMessage } from 'node:http';
import express, { type RequestHandler } from 'express';
import { Refused } from './problem.ts';

/** Leaves a body of another type unread. What cannot be read is refused. */
export function readBody(type: string, limit: number): RequestHandler {
  const plain = [type, `${type}; charset=utf-8`];
  const readCarefully: RequestHandler = express.raw({ type, limit, inflate: false });
  return (req, res, next) => {
    const { 'content-type': given, 'content-length': length, 'content-encoding': coding } = req.headers;
    if (!plain.includes(given ?? '') || coding !== undefined || length === undefined || Number(length) > limit) {
      readCarefully(req, res, next);
      return;
    }
    readWhole(req, (body) => {
      req.body = body;
      next(body ? undefined : new Refused({ code: 'bad-request', detail: 'the body ended early' }));
    });
  };
}

/** @param done called once, with null where the sender went away before the end */
function readWhole(req: IncomingMessage, done: (body: Buffer | null) => void): void {
  const chunks: Buffer[] = [];
  req.on('data', (chunk: Buffer) => chunks.push(chunk));
  req.once('end', () => done(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)));
  req.once('error', () => done(null));
}

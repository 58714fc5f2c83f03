// Rejects a body by its headers, then buffers at most `limit` bytes.
import type { IncomingMessage } from 'node:http';
import express, { type RequestHandler } from 'express';
import { contextOf } from './context.ts';
import { isUtf8 } from './json.ts';
import { Refused } from '../response/problem.ts';

export type ExpectedBody = {
  types: readonly string[];
  /** Content codings that are accepted. */
  codings: readonly string[];
  /** In bytes, as sent. */
  limit: number;
  /** What to send instead. */
  hint: string;
};

/** A missing body is refused too. Notes the content coding: the body is read as it was sent and signed. */
export function expectBody({ types, codings, limit, hint }: ExpectedBody): RequestHandler {
  const plain = types.flatMap((type) => [type, `${type}; charset=utf-8`]);
  return (req, res, next) => {
    const { 'content-type': type = '', 'content-length': length } = req.headers;
    const coding = req.headers['content-encoding']?.toLowerCase() ?? 'identity';
    const hasBody = length !== undefined || req.headers['transfer-encoding'] !== undefined;
    const isExpected = hasBody && (plain.includes(type) || (Boolean(req.is([...types])) && isUtf8(type)));
    if (!isExpected || (coding !== 'identity' && !codings.includes(coding))) {
      throw new Refused({ code: 'unsupported-media-type', detail: hint });
    }
    if (Number(length) > limit) throw tooLarge();
    contextOf(res).coding = coding;
    delete req.headers['content-encoding'];
    next();
  };
}

/** Reads a body of known length directly, which is faster, and any other through Express. */
export function readBody(limit: number): RequestHandler {
  const readCarefully: RequestHandler = express.raw({ type: () => true, limit, inflate: false });
  return (req, res, next) => {
    if (req.headers['content-length'] === undefined) {
      readCarefully(req, res, next);
      return;
    }
    readWhole(req, (body) => {
      req.body = body;
      next(body ? undefined : new Refused({ code: 'bad-request', detail: 'the body ended early' }));
    });
  };
}

/** @param done called once; with null if the sender disconnected before the end */
function readWhole(req: IncomingMessage, done: (body: Buffer | null) => void): void {
  const chunks: Buffer[] = [];
  req.on('data', (chunk: Buffer) => chunks.push(chunk));
  req.once('end', () => done(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)));
  req.once('error', () => done(null));
}

const tooLarge = () => new Refused({ code: 'too-large', detail: 'the body is larger than this service accepts' });

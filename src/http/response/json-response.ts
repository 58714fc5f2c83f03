// Sends JSON without ETag and content negotiation, in one write.
import type { Response } from 'express';

export function answerJson(res: Response, status: number, body: unknown): void {
  const json = JSON.stringify(body);
  res
    .writeHead(status, { 'Content-Type': 'application/json; charset=utf-8', 'Content-Length': Buffer.byteLength(json) })
    .end(json);
}

// Reads a request body up to a limit.
import type { IncomingMessage } from 'node:http';

export type ReadBody = { kind: 'read'; text: string } | { kind: 'too-large' } | { kind: 'broken-off' };

/** Reads at most `mostBytes` and discards the rest, so that the response can still be sent. */
export function readBody(request: IncomingMessage, mostBytes: number): Promise<ReadBody> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= mostBytes) chunks.push(chunk);
      else chunks.length = 0;
    });
    request.on('end', () => {
      resolve(bytes > mostBytes ? { kind: 'too-large' } : { kind: 'read', text: Buffer.concat(chunks).toString() });
    });
    request.on('error', () => resolve({ kind: 'broken-off' }));
    request.on('close', () => resolve({ kind: 'broken-off' }));
  });
}

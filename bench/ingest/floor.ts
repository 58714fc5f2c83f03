// Candidate: the floor. Node's HTTP server only; JSON is parsed and discarded, concurrent requests are appended in one pipeline.
import { createServer, type ServerResponse } from 'node:http';
import { Redis } from 'ioredis';
import { listenAsTold, redisPath } from './environment.ts';

const redis = new Redis({ path: redisPath(), maxRetriesPerRequest: null });

type Arrived = { body: Buffer; res: ServerResponse };
let arrived: Arrived[] = [];

async function append(): Promise<void> {
  const together = arrived;
  arrived = [];
  const pipeline = redis.pipeline();
  for (const { body } of together) pipeline.xadd('run-results', '*', 'run', body);
  const replies = (await pipeline.exec()) ?? [];
  together.forEach(({ res }, index) => {
    const [error, id] = replies[index] ?? [new Error('no reply')];
    const answer = JSON.stringify({ id });
    res
      .writeHead(error ? 500 : 202, { 'Content-Type': 'application/json', 'Content-Length': answer.length })
      .end(answer);
  });
}

createServer((req, res) => {
  const chunks: Buffer[] = [];
  req.on('data', (chunk: Buffer) => chunks.push(chunk));
  req.on('end', () => {
    const body = chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
    JSON.parse(body.toString());
    if (arrived.length === 0) setImmediate(() => void append());
    arrived.push({ body, res });
  });
}).listen(...listenAsTold());

// Peer: a plain BullMQ worker with BullMQ's own limiter at the documented rate; a 429 rate-limits the queue.
import { randomUUID } from 'node:crypto';
import { Queue, Worker } from 'bullmq';
import { WINDOW_MS } from '../../src/domain/pace/per-window.ts';
import { parseConfig } from '../../src/config/config.ts';
import { createGraphClient } from '../../src/graph/client.ts';
import { createTokenSource } from '../../src/graph/credential/token.ts';
import { connect } from '../../src/queue/redis/connection.ts';
import { aState, PEER_AT_ONCE } from './load.ts';
import { readArgument, say } from './process.ts';

/** How long such a worker waits without Retry-After. */
const GUESS_MS = 2000;

const { timeScale, configurationId } = readArgument() as { timeScale: number; configurationId: string };
const config = parseConfig(process.env, 'worker');
const nothing = () => undefined;
const tokens = createTokenSource(config.graph, Date.now, nothing);
await tokens.get();
const graph = createGraphClient({ config: config.graph, tokens, clock: Date.now, ended: nothing });

const queue = new Queue('peer', { connection: connect(config.redis, 'work', nothing), skipVersionCheck: true });

process.on('message', () => {
  new Worker(
    'peer',
    async () => {
      const { signal } = new AbortController();
      const outcome = await graph.create(aState(configurationId, randomUUID()), Date.now(), signal);
      if (outcome.kind !== 'throttled') return;
      await queue.rateLimit((outcome.retryAfterMs ?? GUESS_MS) / timeScale);
      throw Worker.RateLimitError();
    },
    {
      connection: connect(config.redis, 'work', nothing),
      concurrency: PEER_AT_ONCE,
      limiter: { max: 100, duration: WINDOW_MS / timeScale },
      removeOnComplete: { count: 0 },
      skipVersionCheck: true,
    },
  );
  say('begun');
});
say('ready');

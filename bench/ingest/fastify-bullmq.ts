// Candidate: Fastify and BullMQ as their documentation shows them, one job per request, nothing verified.
import { Queue } from 'bullmq';
import Fastify from 'fastify';
import { Redis } from 'ioredis';
import { listenAsTold, redisPath } from './environment.ts';

const queue = new Queue('run-results', {
  connection: new Redis({ path: redisPath(), maxRetriesPerRequest: null }),
});

const fastify = Fastify();
fastify.post('/v1/run-results', async (request, reply) => {
  const job = await queue.add('create-run-state', request.body);
  return reply.code(202).send({ id: job.id });
});
const [port, host] = listenAsTold();
await fastify.listen({ port, host });

// Candidate: Express and BullMQ as their documentation shows them, one job per request, nothing verified.
import { Queue } from 'bullmq';
import express from 'express';
import { Redis } from 'ioredis';
import { listenAsTold, redisPath } from './environment.ts';

const queue = new Queue('run-results', {
  connection: new Redis({ path: redisPath(), maxRetriesPerRequest: null }),
});

const app = express();
app.use(express.json());
app.post('/v1/run-results', async (req, res) => {
  const job = await queue.add('create-run-state', req.body);
  res.status(202).json({ id: job.id });
});
app.listen(...listenAsTold());

// Candidate: Express and BullMQ with the same signature and schema checks, as ordinary middleware.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { Queue } from 'bullmq';
import express, { type RequestHandler } from 'express';
import { httpbis } from 'http-message-signatures';
import { Redis } from 'ioredis';
import { deriveDeviceKey } from '../../src/domain/submission/device-key.ts';
import { runResultSchema } from '../../src/domain/submission/run-result.ts';
import { groupKey, listenAsTold, redisPath } from './environment.ts';

const TOLERANCE_S = 300;

const group = groupKey();
const queue = new Queue('run-results', {
  connection: new Redis({ path: redisPath(), maxRetriesPerRequest: null }),
});

const verifyDigest: RequestHandler = (req, res, next) => {
  const digest = `sha-256=:${createHash('sha256')
    .update(res.locals['rawBody'] as Buffer)
    .digest('base64')}:`;
  if (req.get('content-digest') === digest) next();
  else res.sendStatus(401);
};

const verifySignature: RequestHandler = async (req, res, next) => {
  let deviceId: string | null = null;
  const verified = await httpbis.verifyMessage(
    {
      requiredFields: ['@method', '@path', 'content-digest'],
      requiredParams: ['created', 'keyid', 'alg'],
      tolerance: TOLERANCE_S,
      // The library counts the age from the start of the tolerance.
      maxAge: 2 * TOLERANCE_S,
      keyLookup: ({ keyid = '' }) => {
        deviceId = keyid;
        const key = deriveDeviceKey(group, keyid);
        return Promise.resolve({
          id: keyid,
          algs: ['hmac-sha256'],
          verify: (base: Buffer, signature: Buffer) => {
            const mac = createHmac('sha256', key).update(base).digest();
            return Promise.resolve(mac.length === signature.length && timingSafeEqual(mac, signature));
          },
        });
      },
    },
    {
      method: req.method,
      url: `http://${req.headers.host ?? ''}${req.originalUrl}`,
      headers: req.headers as Record<string, string>,
    },
  );
  res.locals['deviceId'] = deviceId;
  if (verified === true) next();
  else res.sendStatus(401);
};

const validate: RequestHandler = (req, res, next) => {
  const parsed = runResultSchema.safeParse(req.body);
  if (!parsed.success) {
    res.status(422).json(parsed.error.issues);
    return;
  }
  if (parsed.data.deviceId !== res.locals['deviceId']) {
    res.sendStatus(403);
    return;
  }
  req.body = parsed.data;
  next();
};

const app = express();
app.use(express.json({ verify: (_req, res, body) => ((res as express.Response).locals['rawBody'] = body) }));
app.post('/v1/run-results', verifyDigest, verifySignature, validate, async (req, res) => {
  const job = await queue.add('create-run-state', req.body);
  res.status(202).json({ id: job.id });
});
app.listen(...listenAsTold());

// The API, wired: env → config → queue → app → listen → close.
import { createApp } from './http/app.ts';
import { createVerifyDevice, createVerifyOperator } from './http/credentials.ts';
import { listen } from './http/server.ts';
import { beginProcess } from './process.ts';
import { watchDurability, watchMemory } from './queue/health.ts';
import { openTenantQueue } from './queue/tenant.ts';
import { createHealth } from './readiness.ts';

const { config, log, metrics, events, lifecycle } = beginProcess('api');
const clock = Date.now;
const { operatorToken, groupKeys, maxBodyBytes, host, port } = config.http;

const queue = await openTenantQueue(config, 'answer', events.redisTrouble);
lifecycle.opened('queue', queue.close);
watchDurability(queue.redis, events.durability);
const memory = watchMemory(queue.redis);
lifecycle.opened('memory watch', memory.close);

const app = createApp({
  verifyDevice: createVerifyDevice(
    groupKeys.map((key) => Buffer.from(key.reveal(), 'base64')),
    clock,
  ),
  verifyOperator: operatorToken && createVerifyOperator(operatorToken.reveal()),
  accept: async (run, now) => {
    if (memory.isFull()) throw new Error('Redis is nearly full');
    return queue.deliveries.accept(run, now);
  },
  find: queue.deliveries.find,
  deadLetters: queue.deadLetters,
  isAlive: () => true,
  ...createHealth(queue, metrics, config.delivery.writesPer20s, clock),
  clock,
  random: Math.random,
  maxBodyBytes,
  onAnswer: events.answered,
  onQueueTrouble: events.queueTrouble,
  onDefect: (error) => events.defect(error, 'a route threw'),
});
const listener = await listen(app, host, port);
lifecycle.opened('listener', listener.close);
log.info({ host, port: listener.port }, 'listening');

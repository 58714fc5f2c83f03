// A process that uses the embedded Redis of a directory: reports when it is ready and what it waits for, and writes on request.
import { Redis } from 'ioredis';
import { socketPath } from '../../src/queue/redis/embedded/directory.ts';
import { startEmbeddedRedis } from '../../src/queue/redis/embedded/embedded.ts';

const [directory = '', list] = process.argv.slice(2);
const say = (msg: string, told: object = {}) => process.stdout.write(`${JSON.stringify({ msg, ...told })}\n`);

const embedded = await startEmbeddedRedis(directory, (waitingFor) => say('waiting', { waitingFor }));
const client = new Redis({ path: socketPath(directory), maxRetriesPerRequest: null, retryStrategy: () => 50 });
client.on('error', () => undefined);
client.on('close', () => void embedded.ensure().catch((error: unknown) => say('trouble', { error: String(error) })));
process.on('SIGTERM', () => {
  client.disconnect();
  void embedded.close().then(() => process.exit(0));
});
say('started');
await embedded.ensure();
say('ready');

if (list !== undefined) {
  for (let number = 0; ; number += 1) {
    const entry = `${process.pid}-${number}`;
    await client.rpush(list, entry);
    say('written', { entry });
  }
}

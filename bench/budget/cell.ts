// One cell of the table: its own Redis, sandbox and senders; all work is queued before the clock starts.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { parseConfig } from '../../src/config/config.ts';
import { connect, disconnect } from '../../src/queue/redis/connection.ts';
import { startTestRedis } from '../../test/support/redis.ts';
import { openOwnTenant } from '../../test/support/tenant.ts';
import { mostWrites, type Cell, type Sender } from './cells.ts';
import { aRun } from './load.ts';
import type { Counted, StartedSandbox } from './sandbox.ts';
import { startProcess, type Child } from './process.ts';

/** `used`: accepted writes as a share of the limit. `refused`: as a share of all requests. */
export type Measured = { cell: Cell; used: number; refused: number; calledEarly: number };

const PROGRAMS: Record<Sender, string> = {
  'runstate-bridge': 'product',
  'BullMQ limiter': 'bullmq',
  'Graph SDK retries': 'sdk',
};
const AT_ONCE = 500;

/** Runs a cell to its end, accelerated by the time scale. */
export async function runCell(cell: Cell, timeScale: number): Promise<Measured> {
  const directory = await mkdtemp(join(tmpdir(), 'runstate-bench-'));
  // This measures pace, not durability.
  const redis = await startTestRedis('--appendonly', 'no');
  const children: Child[] = [];
  const start = async (name: string, argument: object, environment: Record<string, string>) => {
    const { child, ready } = await startProcess(name, argument, environment);
    children.push(child);
    return { child, ready };
  };
  try {
    const sandbox = await start('sandbox', { cell, timeScale, directory }, {});
    const { environment, configurationId } = sandbox.ready as StartedSandbox;
    const settings = {
      ...environment,
      REDIS_URL: redis.url,
      GRAPH_WRITES_PER_20S: '100',
      DEVICE_GROUP_KEYS: Buffer.alloc(32, 'bench').toString('base64'),
    };
    await provideWork(cell, settings, configurationId);
    const argument = { timeScale, configurationId };
    const senders = await Promise.all(
      Array.from({ length: cell.processes }, () => start(PROGRAMS[cell.sender], argument, settings)),
    );
    await sandbox.child.ask('begin');
    await Promise.all(senders.map(({ child }) => child.ask('begin')));
    await Promise.race([
      delay((cell.settleMs + cell.countMs) / timeScale + 100),
      ...children.map(({ failed }) => failed),
    ]);
    const { taken, refused, allowed, calledEarly } = (await sandbox.child.ask('end')) as Counted;
    return { cell, used: taken / allowed, refused: refused / (taken + refused), calledEarly };
  } finally {
    await Promise.all(children.map((child) => child.stop()));
    await redis.close();
    await rm(directory, { recursive: true, force: true });
  }
}

/** Puts more work into Redis than can be done in the cell's time. */
async function provideWork(cell: Cell, settings: Record<string, string>, configurationId: string): Promise<void> {
  const config = parseConfig(settings, 'worker');
  const names = Array.from({ length: mostWrites(cell) }, (_, number) => String(number));
  const batches = Array.from({ length: Math.ceil(names.length / AT_ONCE) }, (_, batch) =>
    names.slice(batch * AT_ONCE, (batch + 1) * AT_ONCE),
  );
  if (cell.sender === 'runstate-bridge') {
    const tenant = await openOwnTenant(config);
    for (const batch of batches) {
      await Promise.all(batch.map((name) => tenant.deliveries.accept(aRun(configurationId, name), Date.now())));
    }
    await tenant.close();
  }
  if (cell.sender === 'BullMQ limiter') {
    const connection = connect(config.redis, 'work', () => undefined);
    const queue = new Queue('peer', { connection, skipVersionCheck: true });
    for (const batch of batches) await queue.addBulk(batch.map((name) => ({ name, data: {} })));
    await queue.close();
    await disconnect(connection);
  }
}

// Measures a move to another Redis: how long it takes, and for how long submissions are refused at its end.
import { parseArgs } from 'node:util';
import { DEFAULT_TENANT } from '../src/config/tenants/tenant.ts';
import { moveHere, openEnd } from '../test/support/moving.ts';
import { startTestRedis } from '../test/support/redis.ts';
import { aRun, openTestTenant } from '../test/support/tenant.ts';

const { values } = parseArgs({
  options: {
    deliveries: { type: 'string', default: '100000' },
    bytes: { type: 'string', default: '1024' },
  },
});
const deliveries = Number(values.deliveries);
const output = 'x'.repeat(Number(values.bytes));
const AT_ONCE = 1000;

const [old, fresh] = [await startTestRedis(), await startTestRedis()];
const [source, target] = [await openEnd(old.config, 'the old one'), await openEnd(fresh.config, 'the new one')];
const tenant = await openTestTenant(old);
for (let from = 0; from < deliveries; from += AT_ONCE) {
  const numbers = Array.from({ length: Math.min(AT_ONCE, deliveries - from) }, (_, index) => from + index);
  await Promise.all(numbers.map((number) => tenant.deliveries.accept(aRun(number, { output }), Date.now())));
}
const startedAt = performance.now();
const moved = await moveHere({
  ...{ source, target, tenantId: DEFAULT_TENANT },
  events: {
    passed: ({ number, isClosed, keys, written, durationMs }) =>
      say(`pass ${number}${isClosed ? ', closed' : ''}: ${keys} keys, ${written} written, ${seconds(durationMs)}`),
    draining: () => undefined,
    closed: () => undefined,
    waiting: () => undefined,
  },
});
if (moved.kind !== 'moved') throw new Error(moved.kind);
say(
  `${deliveries} deliveries of ${values.bytes} bytes: ${seconds(performance.now() - startedAt)} in all, submissions refused for ${seconds(moved.closedMs)}: ${seconds((moved.closedMs / deliveries) * 100_000)} for each 100,000`,
);
await tenant.close();
await Promise.all([source.close(), target.close()]);
await Promise.all([old.close(), fresh.close()]);
process.exit(0);

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

// A process with three parts for the lifecycle's tests to stop: `orderly`, or with a part that `hangs`, `fails`, `throws` or `rejects`.
import { createLifecycle } from '../../src/process/lifecycle.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { createTelemetry } from '../../src/telemetry/telemetry.ts';

const [, , manner = 'orderly', graceMs = '5000', drainMs = '0'] = process.argv;
const log = createLog('fixture', 'info');
const { parts } = createLifecycle(log, {
  drainMs: Number(drainMs),
  graceMs: Number(graceMs),
  onCloseFailed: createTelemetry(log).events.closeFailed,
});

parts.signal.addEventListener('abort', () => log.info('aborted'));
const keepAlive = setInterval(() => undefined, 1000);
parts.opened('first', () => {
  clearInterval(keepAlive);
  log.info('closed first');
});
parts.opened('second', async () => {
  log.info('closing second');
  if (manner === 'hangs') await new Promise(() => undefined);
  if (manner === 'fails') throw new Error('second would not close');
  log.info('closed second');
});
parts.opened('third', () => {
  log.info('closed third');
});

if (manner === 'busy') parts.opened('fourth', () => log.info('closed fourth'), 'at once');
if (manner === 'throws') setImmediate(() => failing());
if (manner === 'rejects') void Promise.reject(new Error('nobody listened'));
log.info('running');

function failing(): never {
  throw new Error('nobody caught');
}

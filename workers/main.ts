// Starts a worker.
import { onWantedNode } from '../src/process/node-version.ts';

await onWantedNode(async () => {
  const { openWorker } = await import('./worker.ts');
  const { runProcess } = await import('../src/process/start.ts');
  await runProcess('worker', openWorker);
});

// The worker process.
import { onWantedNode } from '../src/process/node-version.ts';

await onWantedNode(() => import('./worker.ts'));

// The worker process.
import { onWantedNode } from '../src/runtime.ts';

await onWantedNode(() => import('./worker.ts'));

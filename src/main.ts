// The API process.
import { onWantedNode } from './runtime.ts';

await onWantedNode(() => import('./api.ts'));

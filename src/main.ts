// The API process.
import { setFlagsFromString } from 'node:v8';
import { onWantedNode } from './process/node-version.ts';

// V8 sees what is in hand outlive its first collections and puts all that follows among what stays for long: there each
// request is kept until a full collection. Nothing of a request stays for long.
setFlagsFromString('--no-allocation-site-pretenuring');
await onWantedNode(() => import('./api/api.ts'));

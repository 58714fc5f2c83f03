// Starts the API.
import { setFlagsFromString } from 'node:v8';
import { onWantedNode } from './process/node-version.ts';

// Disables allocation-site pretenuring: under load V8 would allocate the objects of a request in old space, where only a
// full collection frees them. They are all short-lived.
setFlagsFromString('--no-allocation-site-pretenuring');
await onWantedNode(async () => {
  const { openApi } = await import('./api/api.ts');
  const { runProcess } = await import('./process/start.ts');
  await runProcess('api', openApi);
});

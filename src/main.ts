// Starts the API.
import { setFlagsFromString } from 'node:v8';
import { onWantedNode } from './process/node-version.ts';

// Disables allocation-site pretenuring: under load V8 would allocate the objects of a request in old space, where only a
// full collection frees them. They are all short-lived.
setFlagsFromString('--no-allocation-site-pretenuring');
await onWantedNode(async () => {
  const { runApi } = await import('./process/api-processes.ts');
  await runApi(async () => (await import('./api/api.ts')).openApi);
});

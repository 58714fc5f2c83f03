// The real @microsoft/microsoft-graph-client against the sandbox: its own chain, its own retries.
import { AuthenticationHandler, Client, RetryHandler, RetryHandlerOptions } from '@microsoft/microsoft-graph-client';
import type { Context, Middleware } from '@microsoft/microsoft-graph-client';
import { fetch } from 'undici';
import { expect, test } from 'vitest';

import type { HardwareConfigurationDeviceState, Page } from '../../../src/graph/wire.ts';
import { createSandbox } from '../../../src/sandbox/sandbox.ts';
import { acceptable, withClient } from '../client.ts';

test('the Graph client · creates and lists over its own chain · and retries a 429 as told', async () => {
  await using world = await withClient(await createSandbox());
  const { sandbox, client } = world;
  const { access_token } = (await (await client.askForToken()).json()) as { access_token: string };
  const network: Middleware = {
    execute: async (context: Context) => {
      const answered = await fetch(context.request as string, {
        ...(context.options as object),
        dispatcher: client.dispatcher,
      });
      context.response = new Response(await answered.text(), {
        status: answered.status,
        headers: [...answered.headers],
      });
    },
  };
  const authentication = new AuthenticationHandler({ getAccessToken: () => Promise.resolve(access_token) });
  const retry = new RetryHandler(new RetryHandlerOptions(1, 1));
  authentication.setNext(retry);
  retry.setNext(network);
  const graph = Client.initWithMiddleware({
    middleware: authentication,
    baseUrl: sandbox.authorityHost,
    defaultVersion: 'beta',
    customHosts: new Set(['localhost']),
  });

  sandbox.script('next create: 429 with Retry-After 1');
  const path = `/deviceManagement/hardwareConfigurations/${sandbox.configurationIds[0] ?? ''}/deviceRunStates`;
  const created = (await graph.api(path).post(acceptable)) as HardwareConfigurationDeviceState;
  const page = (await graph
    .api(path)
    .filter("deviceName eq 'BER-DEL-00001'")
    .orderby('lastStateUpdateDateTime desc')
    .get()) as Page<HardwareConfigurationDeviceState>;
  expect(page.value.map(({ id }) => id)).toEqual([created.id]);
  expect(sandbox.stats()).toMatchObject({ createsApplied: 1, answered429: 1, calledEarly: 0 });
});

// A plain client for the tests: trusts one sandbox's CA, has a token, and speaks HTTP without retrying.
import { randomUUID } from 'node:crypto';

import { Agent, fetch } from 'undici';
import type { RequestInit, Response } from 'undici';

import type { Sandbox } from '../../src/sandbox/sandbox.ts';

export const scope = 'https://graph.microsoft.com/.default';

/** A body every rule of the sandbox accepts. */
export const acceptable = {
  '@odata.type': '#microsoft.graph.hardwareConfigurationDeviceState',
  deviceName: 'BER-DEL-00001',
  internalVersion: 4,
  lastStateUpdateDateTime: '2026-11-20T10:00:00.1234500+01:00',
  configurationState: 'success',
  configurationOutput: 'Änderungen übernommen',
};

export function createClient(sandbox: Sandbox) {
  const dispatcher = new Agent({ connect: { ca: sandbox.caPem } });
  let authorization: string | undefined;

  async function askForToken(form: Record<string, string> = {}): Promise<Response> {
    const { clientId: client_id, clientSecret: client_secret } = sandbox;
    const fields = { client_id, client_secret, scope, grant_type: 'client_credentials', ...form };
    const url = `${sandbox.authorityHost}/${sandbox.tenantId}/oauth2/v2.0/token`;
    return await fetch(url, { method: 'POST', body: new URLSearchParams(fields), dispatcher });
  }

  async function signIn(form: Record<string, string> = {}): Promise<void> {
    const { access_token } = (await (await askForToken(form)).json()) as { access_token: string };
    authorization = `Bearer ${access_token}`;
  }

  async function call(path: string, init: RequestInit = {}): Promise<Response> {
    if (authorization === undefined) await signIn();
    const url = path.startsWith('https:')
      ? path
      : `${sandbox.graphBaseUrl}/deviceManagement/hardwareConfigurations${path}`;
    const headers = { authorization: authorization ?? '', 'client-request-id': randomUUID() };
    return await fetch(url, {
      dispatcher,
      ...init,
      headers: { ...headers, ...(init.headers as Record<string, string>) },
    });
  }

  const statesPath = (configurationId = sandbox.configurationIds[0]) => `/${configurationId ?? ''}/deviceRunStates`;
  const send = (method: string, path: string, body: unknown, init: RequestInit = {}) =>
    call(path, { method, body: JSON.stringify(body), headers: { 'content-type': 'application/json' }, ...init });

  return {
    dispatcher,
    askForToken,
    signIn,
    call,
    send,
    statesPath,
    create: (members: object = {}, init: RequestInit = {}) =>
      send('POST', statesPath(), { ...acceptable, ...members }, init),
    list: (query = '') => call(statesPath() + query),
    control: (path: string, init: RequestInit = {}) => fetch(sandbox.controlUrl + path, init),
    close: () => dispatcher.destroy(),
  };
}

export type Client = ReturnType<typeof createClient>;

/** Starts a sandbox with a client, and stops both when the test's scope ends. */
export async function withClient(sandbox: Sandbox) {
  const client = createClient(sandbox);
  await client.signIn();
  return {
    sandbox,
    client,
    async [Symbol.asyncDispose]() {
      await client.close();
      await sandbox.close();
    },
  };
}

/** The error code a failed fetch carries, e.g. ECONNRESET. */
export async function failureOf(request: Promise<unknown>): Promise<string> {
  try {
    await request;
    return 'none';
  } catch (error) {
    const { cause } = error as Error & { cause?: { code?: string } };
    return cause?.code ?? String(error);
  }
}

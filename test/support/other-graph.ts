// A second Microsoft Graph and token endpoint, independent of the sandbox: no $filter, other paging, and lost responses.
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { createAuthority } from './certificates.ts';
import type { GraphRecord } from './graph-record.ts';

const TENANT = 'other-tenant.example';
const CLIENT = '0d9c7a52-3f43-4b53-8f5c-6f0a1a3b2c4d';
const SECRET = 'an-other-secret';
const toConfiguration = (_: unknown, index: number) => `aaaaaaaa-0000-4000-8000-00000000000${index + 1}`;
const PAGE = 9;
/** Share of creates that are executed but whose response is lost. */
const LOST_SHARE = 0.1;

type Response = { status: number; json: object };

/** The response of a configuration in trouble; null for the normal one. */
export type Trouble = (method: 'POST' | 'GET') => Response | 'hang' | null;

export const TROUBLES = {
  forbidden: () => refusal(403),
  failing: () => refusal(500),
  /** Intune's response for documented routes that its services do not serve. */
  unserved: (method) => (method === 'POST' ? unserved() : null),
  /** Creates are never answered and not executed. */
  hanging: (method) => (method === 'POST' ? 'hang' : null),
  rejecting: (method) => (method === 'POST' ? refusal(400) : null),
} satisfies Record<string, Trouble>;

/** Its handling of `$filter`: it pages by its own option and supports no other. */
export type OtherFilter = 'ignored' | 'refused' | 'failing' | 'finds-nothing';
/** `longestText`: new records show only the end of longer outputs and errors. */
export type OtherSettings = { filter: OtherFilter; longestText: number | null };

export type OtherGraphOptions = { configurations?: number; lostShare?: number };

const UNSAID = { osVersion: null, upn: null, configurationOutput: null, configurationError: null };
const STATES = /^\/beta\/deviceManagement\/hardwareConfigurations\/([^/]+)\/deviceRunStates$/;

export async function startOtherGraph(
  seed: number,
  { configurations = 2, lostShare = LOST_SHARE }: OtherGraphOptions = {},
) {
  const configurationIds = Array.from({ length: configurations }, toConfiguration);
  const troubles = new Map<string, Trouble>();
  const creates: { at: number; configurationId: string; status: number | null }[] = [];
  const directory = await mkdtemp(join(tmpdir(), 'runstate-other-graph-'));
  const tls = await createCertificate(directory);
  const settings: OtherSettings = { filter: 'ignored', longestText: null };
  const records: GraphRecord[] = [];
  /** How much of a record's texts is shown, if shortened. */
  const shortened = new Map<GraphRecord, number>();
  const tokens = new Set<string>();
  const faults: Record<string, number> = {};
  const dice = createDice(seed);

  const server = createServer(tls, (request, response) => {
    answer(request, response).catch(() => request.socket.destroy());
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', `https://${request.headers.host ?? 'localhost'}`);
    const body = await text(request);
    const made = respond(request, url, body);
    if (made === 'hang') return;
    if (made === 'nothing') {
      response.socket?.destroy();
      return;
    }
    response.writeHead(made.status, { 'content-type': 'application/json', 'request-id': randomUUID() });
    response.end(JSON.stringify(made.json));
  }

  function respond(request: IncomingMessage, url: URL, body: string): Response | 'nothing' | 'hang' {
    if (url.pathname === `/${TENANT}/v2.0/.well-known/openid-configuration`) return describe(url.origin);
    if (url.pathname === `/${TENANT}/oauth2/v2.0/token`) return issue(new URLSearchParams(body));
    if (!tokens.has(request.headers.authorization?.replace(/^Bearer /, '') ?? '')) return refusal(401);
    const configurationId = STATES.exec(url.pathname)?.[1];
    if (configurationId === undefined || !configurationIds.includes(configurationId)) return refusal(404);
    const { method } = request;
    if (method !== 'POST' && method !== 'GET') return refusal(405);
    const troubled = troubles.get(configurationId)?.(method) ?? null;
    if (method === 'GET') return troubled ?? list(configurationId, url);
    const made = troubled ?? create(configurationId, body);
    creates.push({ at: performance.now(), configurationId, status: typeof made === 'string' ? null : made.status });
    return made;
  }

  function issue(form: URLSearchParams): Response {
    if (form.get('client_secret') !== SECRET || form.get('client_id') !== CLIENT) {
      return { status: 401, json: { error: 'invalid_client', error_description: 'AADSTS7000215: wrong secret' } };
    }
    const token = randomBytes(24).toString('base64url');
    tokens.add(token);
    return { status: 200, json: { token_type: 'Bearer', expires_in: 600, access_token: token } };
  }

  function create(configurationId: string, body: string): Response | 'nothing' {
    const { '@odata.type': type, ...members } = JSON.parse(body) as Partial<GraphRecord> & { '@odata.type'?: string };
    if (type !== '#microsoft.graph.hardwareConfigurationDeviceState' || 'id' in members) return refusal(400);
    const id = `${configurationId}_${randomUUID()}`;
    const record = { ...UNSAID, ...members, id, configurationId } as GraphRecord;
    records.push(record);
    if (settings.longestText !== null) shortened.set(record, settings.longestText);
    if (dice() >= lostShare) return { status: 201, json: show(record, shortened.get(record)) };
    const lost = dice() < 0.5 ? '504' : 'reset';
    faults[`create: ${lost} after the write`] = (faults[`create: ${lost} after the write`] ?? 0) + 1;
    return lost === '504' ? refusal(504) : 'nothing';
  }

  /** Pages by an opaque number; ignores all query options except its own and `$filter`. */
  function list(configurationId: string, url: URL): Response {
    if (url.searchParams.has('$filter')) {
      if (settings.filter === 'refused') return refusal(400);
      if (settings.filter === 'failing') return refusal(500);
      if (settings.filter === 'finds-nothing') return { status: 200, json: { value: [] } };
    }
    const from = Number(url.searchParams.get('from') ?? 0);
    const all = records.filter((record) => record.configurationId === configurationId);
    const next = new URL(`${url.origin}${url.pathname}?from=${from + PAGE}`);
    const json = {
      value: all.slice(from, from + PAGE).map((record) => show(record, shortened.get(record))),
      ...(from + PAGE < all.length && { '@odata.nextLink': next.href }),
    };
    return { status: 200, json };
  }

  server.keepAliveTimeout = 120_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    environment: (port: number): Record<string, string> => ({
      AZURE_TENANT_ID: TENANT,
      AZURE_CLIENT_ID: CLIENT,
      AZURE_CLIENT_SECRET: SECRET,
      AZURE_AUTHORITY_HOST: `https://localhost:${port}`,
      GRAPH_BASE_URL: `https://localhost:${port}/beta`,
      NODE_EXTRA_CA_CERTS: join(directory, 'certificate.pem'),
    }),
    configurationIds,
    /** Sets how a configuration is answered from now on. */
    trouble: (configurationId: string, trouble: Trouble | null) => {
      if (trouble) troubles.set(configurationId, trouble);
      else troubles.delete(configurationId);
    },
    set: (changes: Partial<OtherSettings>) => void Object.assign(settings, changes),
    /** Every create that arrived, and its response; null if the response was lost. */
    creates: () => creates,
    records: () => records,
    faults: () => faults,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Valid since yesterday, in case a client's clock is hours behind. @returns the certificate with its authority's */
async function createCertificate(directory: string): Promise<{ cert: string; key: string }> {
  const authority = await createAuthority({ subject: 'CN=The other Graph' });
  await writeFile(join(directory, 'certificate.pem'), authority.pem);
  const { pem, keyPem } = await authority.issue({
    subject: 'CN=localhost',
    names: [{ type: 'dns', value: 'localhost' }],
    purposes: null,
  });
  return { cert: pem, key: keyPem };
}

/** Instants as this Graph writes them, always with seven digits. Long texts may be cut to their end. */
function show(record: GraphRecord, longestText = Infinity): object {
  const [, seconds = '', fraction = '', offset = ''] =
    /^(.{19})(?:\.(\d+))?(.*)$/.exec(record.lastStateUpdateDateTime) ?? [];
  const utc = new Date(Date.parse(seconds + offset)).toISOString().slice(0, 19);
  return {
    ...record,
    configurationId: undefined,
    configurationOutput: record.configurationOutput?.slice(-longestText) ?? null,
    configurationError: record.configurationError?.slice(-longestText) ?? null,
    lastStateUpdateDateTime: `${utc}.${fraction.padEnd(7, '0')}Z`,
    assignmentFilterIds: null,
  };
}

function describe(origin: string): Response {
  const json = {
    issuer: `${origin}/${TENANT}/v2.0`,
    authorization_endpoint: `${origin}/${TENANT}/oauth2/v2.0/authorize`,
    token_endpoint: `${origin}/${TENANT}/oauth2/v2.0/token`,
    jwks_uri: `${origin}/${TENANT}/discovery/v2.0/keys`,
  };
  return { status: 200, json };
}

function refusal(status: number): Response {
  return { status, json: { error: { code: `other${status}`, message: 'not today' } } };
}

/** As publicly reported for similar routes: the same words nested in the message. */
function unserved(): Response {
  const message =
    'No OData route exists that match template ~/singleton/navigation/key/navigation with http verb POST for request /DeviceConfig/StatelessDeviceConfigFEService/deviceManagement.';
  return { status: 400, json: { error: { code: 'No method match route template', message } } };
}

/** A linear congruential generator (Numerical Recipes). */
function createDice(seed: number): () => number {
  let state = seed >>> 0;
  return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
}

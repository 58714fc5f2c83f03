// The control listener's routes: plain HTTP on loopback, for curl, browsers and tests.
import { createServer } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';

import { jsonAnswer, textAnswer } from './answer.ts';
import type { Answer } from './answer.ts';
import { ScriptError } from '../faults/fault.ts';
import { answerManagedIdentity } from '../authority/managed-identity.ts';
import { answerDevices } from '../directory/control-devices.ts';
import type { Enrolment } from '../directory/control-devices.ts';
import { parseChanges } from './parse-changes.ts';
import { describeProfiles } from '../profiles/named.ts';
import { readBody } from './read-body.ts';
import type { RequestRecord, RunStateRecord } from '../records.ts';
import { send } from './send.ts';
import type { Changes } from '../settings.ts';
import type { World } from '../state.ts';
import type { Stats } from '../stats.ts';

/** The parts of the sandbox these routes show and change. */
type Controlled = {
  caPem: string;
  stats: () => Stats;
  records: () => RunStateRecord[];
  duplicates: () => RunStateRecord[][];
  requests: () => RequestRecord[];
  script: (text: string) => void;
  set: (changes: Changes) => void;
  reset: () => void;
  environment: () => Record<string, string>;
  deviceEnvironment: () => Record<string, string>;
} & Enrolment;

const index = `The runstate-bridge sandbox: Microsoft Graph and its token endpoint in miniature.

GET  /stats         what was counted so far
GET  /records       the stored run states; ?configurationId= &deviceName= &limit= (how many, newest first)
GET  /duplicates    groups of run states that say the same
GET  /requests      the last requests; ?limit=
POST /script        what the next requests meet, as text: next 3 creates: 504 after the write, 429 with Retry-After 1.5, 201
POST /set           changes that last, as JSON: {"permission":"taken-away"} {"graph":"down"} {"limiter":{"writesPer20s":50}}
POST /reset         forget everything that happened, and every change
GET  /devices       the tenant's devices, as its directory knows them
POST /devices       a device joins: its certificate and private key; {"deviceId":"GUID","trustType":"AzureAd","isManaged":true}, all optional
PATCH /devices/ID   {"accountEnabled":false} {"isManaged":false}
POST /devices/ID/key  it gets a new key and certificate; {"oldKey":"forgotten"} takes the old key's entry away
DELETE /devices/ID  the directory forgets the device
POST /fleet-certificates  a certificate of the fleet's own authority for {"deviceId":"…"}
GET  /fleet-ca.pem  that authority
GET  /ca.pem        the certificate authority to trust
GET  /environment   what a bridge needs to use this sandbox, as a .env file; ?devices also accepts its devices' certificates
GET  /msi/token     the managed identity endpoint

A script's line: next [count] target: fault, fault, …
  target  create list get update delete write read request device token discovery (or their plurals)
  fault   ok 200 201 204 | any status from 400 to 599 | invalid_client | reset | hang | truncated | slow
          then, if wanted: after the write · with Retry-After 2|1.5|date 3|garbage|huge · with claims
          as html|nothing|invalid json|intune|empty code · in 500 ms

Or, in a script, profile NAME (in /set {"profile":"NAME"}), none (null) being Graph as it is documented:
${describeProfiles()}
`;

/** The control server of a sandbox, not listening yet. */
export function createControl(world: World, sandbox: Controlled): Server {
  return createServer((request, response) => {
    answerControl(world, sandbox, request)
      .catch((error: unknown) => textAnswer(500, `${String(error)}\n`))
      .then((answer) => send({ response, answer, manner: 'whole', abandon: AbortSignal.abort() }))
      .catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
  });
}

async function answerControl(world: World, sandbox: Controlled, request: IncomingMessage): Promise<Answer> {
  const url = new URL(request.url ?? '/', 'http://sandbox');
  const { searchParams } = url;
  switch (`${request.method ?? 'GET'} ${url.pathname}`) {
    case 'GET /':
      return textAnswer(200, index);
    case 'GET /stats':
      return jsonAnswer(200, sandbox.stats());
    case 'GET /records':
      return jsonAnswer(200, { records: newest(selectRecords(sandbox, searchParams), searchParams) });
    case 'GET /duplicates':
      return jsonAnswer(200, { duplicates: sandbox.duplicates() });
    case 'GET /requests':
      return jsonAnswer(200, { requests: newest(sandbox.requests(), searchParams) });
    case 'POST /script':
      return await change(request, (text) => sandbox.script(text));
    case 'POST /set':
      return await change(request, (text) => {
        const parsed = parseChanges(text);
        if (parsed.kind === 'refused') throw new ScriptError(parsed.message);
        sandbox.set(parsed.changes);
      });
    case 'POST /reset':
      sandbox.reset();
      return { status: 204, headers: {}, body: '' };
    case 'GET /ca.pem':
      return { status: 200, headers: { 'Content-Type': 'application/x-pem-file' }, body: sandbox.caPem };
    case 'GET /environment':
      return textAnswer(
        200,
        toDotenv({ ...sandbox.environment(), ...(searchParams.has('devices') ? sandbox.deviceEnvironment() : {}) }),
      );
    case 'GET /msi/token':
      return await answerManagedIdentity(world, searchParams, request.headers);
    default:
      return (
        (await answerDevices(sandbox, request, url.pathname)) ??
        textAnswer(404, `Nothing here. GET / lists what there is.\n`)
      );
  }
}

async function change(request: IncomingMessage, make: (text: string) => void): Promise<Answer> {
  const body = await readBody(request, 1024 * 1024);
  if (body.kind !== 'read') return textAnswer(413, 'More than 1 MB.\n');
  try {
    make(body.text);
    return { status: 204, headers: {}, body: '' };
  } catch (error) {
    if (error instanceof ScriptError) return textAnswer(400, `${error.message}\n`);
    throw error;
  }
}

function selectRecords(sandbox: Controlled, searchParams: URLSearchParams) {
  const configurationId = searchParams.get('configurationId')?.toLowerCase();
  const deviceName = searchParams.get('deviceName');
  return sandbox
    .records()
    .filter((record) => configurationId === undefined || record.configurationId.toLowerCase() === configurationId)
    .filter((record) => deviceName === null || record.deviceName === deviceName);
}

function newest<T>(oldestFirst: T[], searchParams: URLSearchParams): T[] {
  const limit = Number(searchParams.get('limit') ?? Infinity);
  return limit >= 1 && limit < oldestFirst.length ? oldestFirst.slice(-limit) : oldestFirst;
}

function toDotenv(environment: Record<string, string>): string {
  return Object.entries(environment)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

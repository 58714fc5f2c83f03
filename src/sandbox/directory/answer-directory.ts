// Graph's v1.0 device routes: one device by its device id, and the list, for apps that may read devices.
import { jsonAnswer, unchanged } from '../server/answer.ts';
import type { Answer, Outcome } from '../server/answer.ts';
import { rolesStillGranted } from '../authority/apps.ts';
import type { Bearer } from '../authority/access-tokens.ts';
import type { Call } from '../server/call.ts';
import type { DirectoryDevice } from './directory.ts';
import { directoryErrorAnswer } from '../graph/graph-error.ts';
import type { Route } from '../server/route.ts';
import type { World } from '../state.ts';

export type DirectoryRoute = Extract<Route, { operation: 'device' | 'devices' }>;

const members: readonly (keyof DirectoryDevice)[] = [
  'id',
  'deviceId',
  'displayName',
  'accountEnabled',
  'isManaged',
  'trustType',
  'operatingSystem',
  'alternativeSecurityIds',
];
const sufficientRoles = ['Device.Read.All', 'Device.ReadWrite.All', 'Directory.Read.All', 'Directory.ReadWrite.All'];
const guid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const listParameters = new Set(['$select', '$top', '$skiptoken']);
const mostPerPage = 999;

/** A refusal, or undefined if one of the token's roles allows reading devices. */
export function forbidDirectory(world: World, call: Call, bearer: Bearer): Outcome | undefined {
  const isPermitted = rolesStillGranted(world, bearer).some((role) => sufficientRoles.includes(role));
  return isPermitted ? undefined : unchanged(directoryErrorAnswer(403, call.trace));
}

/** Answers a request that may be answered. Each costs one resource unit here, which real ones need not. */
export function answerDirectory(world: World, call: Call, route: DirectoryRoute): Outcome {
  const answer = route.operation === 'device' ? readOne(world, call, route.deviceId) : readPage(world, call);
  answer.headers['x-ms-resource-unit'] = '1';
  return unchanged(answer);
}

function readOne(world: World, call: Call, deviceId: string): Answer {
  const selected = parseSelect(call.url.searchParams);
  if ('unknown' in selected) return noSuchMember(call, selected.unknown);
  const surplus = [...call.url.searchParams.keys()].find((name) => name !== '$select');
  if (surplus !== undefined) return badRequest(call, `The query specified in the URI is not valid: '${surplus}'.`);
  if (!guid.test(deviceId)) return badRequest(call, `Invalid value '${deviceId}' for the key property deviceId.`);
  const device = world.directory.get(deviceId);
  if (device === undefined) {
    const message = `Resource '${deviceId}' does not exist or one of its queried reference-property objects are not present.`;
    return directoryErrorAnswer(404, call.trace, message);
  }
  return jsonAnswer(200, { '@odata.context': `${contextOf(call)}/$entity`, ...show(device, selected.names) });
}

function readPage(world: World, call: Call): Answer {
  const { searchParams } = call.url;
  const selected = parseSelect(searchParams);
  if ('unknown' in selected) return noSuchMember(call, selected.unknown);
  const surplus = [...searchParams.keys()].find((name) => !listParameters.has(name));
  if (surplus !== undefined) return badRequest(call, `The query specified in the URI is not valid: '${surplus}'.`);
  const top = Number(searchParams.get('$top') ?? world.settings.pageSize);
  if (!Number.isInteger(top) || top < 1 || top > mostPerPage) return badRequest(call, 'Invalid page size specified.');

  const devices = world.directory.all();
  const token = searchParams.get('$skiptoken');
  const start = token === null ? 0 : devices.findIndex(({ id }) => id === token) + 1;
  const page = devices.slice(start, start + top);
  const next = new URL(call.url);
  next.searchParams.set('$skiptoken', page.at(-1)?.id ?? '');
  return jsonAnswer(200, {
    '@odata.context': contextOf(call),
    ...(start + top < devices.length ? { '@odata.nextLink': next.href } : {}),
    value: page.map((device) => show(device, selected.names)),
  });
}

function parseSelect(parameters: URLSearchParams): { names: readonly string[] } | { unknown: string } {
  const names = parameters.get('$select')?.split(',') ?? members;
  const unknown = names.find((name) => !(members as readonly string[]).includes(name));
  return unknown === undefined ? { names } : { unknown };
}

function show(device: DirectoryDevice, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(device).filter(([name]) => names.includes(name)));
}

function noSuchMember(call: Call, name: string): Answer {
  const what = `Could not find a property named '${name}' on type 'microsoft.graph.device'.`;
  return badRequest(call, `Parsing OData Select and Expand failed: ${what}`);
}

const badRequest = (call: Call, message: string): Answer => directoryErrorAnswer(400, call.trace, message);
const contextOf = (call: Call): string => `${call.url.origin}/v1.0/$metadata#devices`;

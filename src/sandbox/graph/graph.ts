// Handles Graph requests: authorization, throttling, the configuration, then the operation.
import { jsonAnswer, unchanged } from '../server/answer.ts';
import type { Outcome } from '../server/answer.ts';
import { rolesStillGranted } from '../authority/apps.ts';
import type { Bearer, TokenCheck } from '../authority/access-tokens.ts';
import type { Call } from '../server/call.ts';
import { answerDirectory, forbidDirectory } from '../directory/answer-directory.ts';
import type { DirectoryRoute } from '../directory/answer-directory.ts';
import { graphErrorAnswer } from './graph-error.ts';
import { admit } from './limiter.ts';
import { accessOf, isWrite } from '../faults/operation.ts';
import type { GraphOperation } from '../faults/operation.ts';
import { profileOf } from '../profiles/named.ts';
import { spellRetryAfter } from './retry-after.ts';
import type { Route } from '../server/route.ts';
import { createRunState, deleteRunState, getRunState, listRunStates, updateRunState } from './run-states.ts';
import { summarise } from './run-summary.ts';
import { answerTrouble } from '../trouble.ts';
import type { HardwareConfiguration, World } from '../state.ts';

export type GraphRoute = Extract<Route, { operation: GraphOperation }>;

const guid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Executes a Graph request, or refuses it in Graph's order: token, throttling, permission, URL, body. */
export async function answerGraph(world: World, call: Call, route: GraphRoute): Promise<Outcome> {
  const check = await world.tokens.check(call.headers.authorization);
  if (check.kind === 'refused') return unauthenticated(call, check);
  const throttled = throttle(world, call, route.operation);
  if (throttled !== undefined) return throttled;
  if (isDirectoryRoute(route)) {
    return forbidDirectory(world, call, check.bearer) ?? answerDirectory(world, call, route);
  }
  return forbid(world, call, route.operation, check.bearer) ?? carryOut(world, call, route);
}

const isDirectoryRoute = (route: GraphRoute): route is DirectoryRoute =>
  route.operation === 'device' || route.operation === 'devices';

/** A 401 with the challenge that Graph sends. */
function unauthenticated(call: Call, check: Extract<TokenCheck, { kind: 'refused' }>): Outcome {
  const answer = graphErrorAnswer({ status: 401, message: check.message, trace: call.trace });
  answer.headers['WWW-Authenticate'] = challenge(check.challenge, call.trace.at);
  return unchanged(answer);
}

/** The `WWW-Authenticate` of a 401. */
export function challenge(kind: 'none' | 'claims', at: Date): string {
  const plain =
    'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", ' +
    'client_id="00000003-0000-0000-c000-000000000000"';
  if (kind === 'none') return plain;
  const value = Math.floor(at.getTime() / 1000).toString();
  const claims = JSON.stringify({ access_token: { nbf: { essential: true, value } } });
  return `${plain}, error="insufficient_claims", claims="${Buffer.from(claims).toString('base64')}"`;
}

function throttle(world: World, call: Call, operation: GraphOperation): Outcome | undefined {
  const { limiter } = world.settings;
  const { admission, state } = admit({
    settings: limiter,
    state: world.limiter,
    access: accessOf(operation),
    nowMs: world.now(),
  });
  world.limiter = state;
  if (admission.kind === 'admitted') return undefined;
  const answer = graphErrorAnswer({ status: 429, message: 'An error has occurred.', trace: call.trace });
  const retryAfter = spellRetryAfter(limiter.retryAfter, admission.retryAfterMs, world.now());
  if (retryAfter !== undefined) {
    answer.headers['Retry-After'] = retryAfter.header;
    answer.retryAfterMs = retryAfter.askedForMs;
  }
  return unchanged(answer);
}

function forbid(world: World, call: Call, operation: GraphOperation, bearer: Bearer): Outcome | undefined {
  const sufficient = ['DeviceManagementConfiguration.ReadWrite.All'];
  if (!isWrite(operation)) sufficient.push('DeviceManagementConfiguration.Read.All');
  if (rolesStillGranted(world, bearer).some((role) => sufficient.includes(role))) return undefined;
  const message = `Application is not authorized to perform this operation. It must have one of: ${sufficient.join(', ')}`;
  return unchanged(graphErrorAnswer({ status: 403, message, trace: call.trace }));
}

function carryOut(world: World, call: Call, route: Exclude<GraphRoute, DirectoryRoute>): Outcome {
  const refuse = (status: number, message: string) =>
    unchanged(graphErrorAnswer({ status, message, trace: call.trace }));
  if (route.operation === 'unknown') {
    if (route.why === 'method-not-allowed') return refuse(405, `The method ${call.method} is not allowed here.`);
    return refuse(404, `Resource not found for the path '${call.url.pathname}'.`);
  }
  const [firstId] = world.configurations.keys();
  const refusal = profileOf(world.settings.profile).refuse?.({
    method: call.method,
    url: call.url,
    operation: route.operation,
    isOfFirstConfiguration: 'configurationId' in route && route.configurationId.toLowerCase() === firstId,
    trace: call.trace,
  });
  if (refusal !== undefined) return unchanged(refusal);
  const context = `${call.url.origin}/beta/$metadata#deviceManagement/hardwareConfigurations`;
  if (route.operation === 'configurations') {
    const value = [...world.configurations.values()].map(describe);
    return unchanged(jsonAnswer(200, { '@odata.context': context, value }));
  }
  if (!guid.test(route.configurationId)) return refuse(400, `'${route.configurationId}' is not a valid id.`);
  const configuration = world.configurations.get(route.configurationId.toLowerCase());
  if (configuration === undefined) return refuse(404, `Resource '${route.configurationId}' does not exist.`);

  const trouble = answerTrouble(world.settings.troubles[configuration.id], route.operation, call.trace);
  if (trouble !== undefined && isOfRunStates(route.operation)) return unchanged(trouble);

  switch (route.operation) {
    case 'configuration':
      return unchanged(jsonAnswer(200, { '@odata.context': `${context}/$entity`, ...describe(configuration) }));
    case 'summary':
      return unchanged(jsonAnswer(200, summarise(configuration.id, world.store.inOrder(configuration.id, 'instant'))));
    case 'list':
      return listRunStates(world, call, configuration.id);
    case 'create':
      return createRunState(world, call, configuration.id);
    case 'get':
      return getRunState(world, call, { configurationId: configuration.id, id: route.stateId });
    case 'update':
      return updateRunState(world, call, { configurationId: configuration.id, id: route.stateId });
    case 'delete':
      return deleteRunState(world, call, { configurationId: configuration.id, id: route.stateId });
  }
}

const isOfRunStates = (operation: GraphOperation) => operation !== 'configuration' && operation !== 'summary';

function describe(configuration: HardwareConfiguration): Record<string, unknown> {
  return {
    '@odata.type': '#microsoft.graph.hardwareConfiguration',
    ...configuration,
    perDevicePasswordDisabled: false,
  };
}

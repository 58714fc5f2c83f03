// The five operations on a configuration's deviceRunStates, for an authorized caller.
import { randomUUID } from 'node:crypto';

import type { HardwareConfigurationDeviceState, Page } from '../../graph/wire.ts';
import { jsonAnswer, unchanged } from '../server/answer.ts';
import type { Outcome } from '../server/answer.ts';
import type { Call } from '../server/call.ts';
import { formatDateTimeOffset, parseDateTimeOffset } from './date-time-offset.ts';
import { graphErrorAnswer, shapedErrorAnswer } from './graph-error.ts';
import { listPage } from './listing.ts';
import { profileOf } from '../profiles/named.ts';
import type { RunStateMembers, StoredRunState } from './run-state-store.ts';
import type { World } from '../state.ts';
import { bindBody } from './write-rules.ts';
import type { BoundBody, Verb } from './write-rules.ts';

const unsaid: Omit<RunStateMembers, 'id' | 'internalVersion' | 'lastStateUpdateDateTime' | 'configurationState'> = {
  deviceName: null,
  osVersion: null,
  upn: null,
  configurationOutput: null,
  configurationError: null,
  assignmentFilterIds: null,
  userId: null,
};

export function createRunState(world: World, call: Call, configurationId: string): Outcome {
  const body = readBody(call, 'create');
  if ('answer' in body) return body;
  const profile = profileOf(world.settings.profile);
  const members = body.members as RunStateMembers;
  const deviceName = members.deviceName ?? '';
  const earlier = profile.secondOfDevice && world.store.ofDevice(configurationId, deviceName, 'created').at(-1);
  if (earlier && profile.secondOfDevice === 'conflict') {
    const message = 'A run state of this device exists under this hardware configuration.';
    return unchanged(shapedErrorAnswer({ status: 409, shape: 'intune', message, trace: call.trace }));
  }
  if (earlier) world.store.remove(earlier);
  const sequence = world.nextSequence++;
  const id = earlier?.members.id ?? profile.newId?.({ configurationId, deviceName, sequence }) ?? randomUUID();
  const state: StoredRunState = {
    configurationId,
    createdAtMs: world.now(),
    sequence,
    longestText: profile.longestText ?? world.settings.longestText,
    ...withInstant({ ...unsaid, ...members, id }),
  };
  world.store.add(state);
  return { answer: jsonAnswer(201, entity(call, state)), effect: 'applied' };
}

export function listRunStates(world: World, call: Call, configurationId: string): Outcome {
  const profile = profileOf(world.settings.profile);
  const listing = listPage({
    store: world.store,
    configurationId,
    parameters: call.url.searchParams,
    settings: {
      ...world.settings,
      ...(profile.pageSize !== undefined && { pageSize: profile.pageSize }),
      visibleUntilMs: world.now() - world.settings.listLagMs,
    },
  });
  if (listing.kind === 'refused')
    return unchanged(graphErrorAnswer({ status: listing.status, message: listing.message, trace: call.trace }));
  const page: Page<HardwareConfigurationDeviceState> = { value: listing.states.map(toShown) };
  if (listing.skipToken !== undefined) {
    const next = new URL(call.url);
    next.searchParams.set('$skiptoken', listing.skipToken);
    page['@odata.nextLink'] = next.href;
  } else if (profile.lastPage === 'back-to-the-first') {
    const first = new URL(call.url);
    first.searchParams.delete('$skiptoken');
    page['@odata.nextLink'] = first.href;
  }
  return unchanged(jsonAnswer(200, { '@odata.context': contextOf(call, configurationId), ...page }));
}

type RunStateKey = { configurationId: string; id: string };

export function getRunState(world: World, call: Call, { configurationId, id }: RunStateKey): Outcome {
  const state = world.store.find(configurationId, id.toLowerCase());
  return state === undefined ? notFound(call, id) : unchanged(jsonAnswer(200, entity(call, state)));
}

export function updateRunState(world: World, call: Call, { configurationId, id }: RunStateKey): Outcome {
  const state = world.store.find(configurationId, id.toLowerCase());
  if (state === undefined) return notFound(call, id);
  const body = readBody(call, 'update');
  if ('answer' in body) return body;
  const changed = { ...state, ...withInstant({ ...state.members, ...body.members }) };
  world.store.remove(state);
  world.store.add(changed);
  return { answer: jsonAnswer(200, entity(call, changed)), effect: 'applied' };
}

export function deleteRunState(world: World, call: Call, { configurationId, id }: RunStateKey): Outcome {
  const state = world.store.find(configurationId, id.toLowerCase());
  if (state === undefined) return notFound(call, id);
  world.store.remove(state);
  return { answer: { status: 204, headers: {}, body: '' }, effect: 'applied' };
}

function readBody(call: Call, verb: Verb): Extract<BoundBody, { kind: 'bound' }> | Outcome {
  if (!/^application\/json\s*(;|$)/i.test(call.headers['content-type'] ?? '')) {
    return unchanged(
      graphErrorAnswer({ status: 415, message: 'The Content-Type must be application/json.', trace: call.trace }),
    );
  }
  const body = bindBody(call.body, verb);
  return body.kind === 'bound'
    ? body
    : unchanged(graphErrorAnswer({ status: 400, message: body.message, trace: call.trace }));
}

function withInstant(members: RunStateMembers): Pick<StoredRunState, 'instantTicks' | 'members'> {
  const instantTicks = parseDateTimeOffset(members.lastStateUpdateDateTime) ?? 0n;
  return { instantTicks, members: { ...members, lastStateUpdateDateTime: formatDateTimeOffset(instantTicks) } };
}

function entity(call: Call, state: StoredRunState): Record<string, unknown> {
  return { '@odata.context': `${contextOf(call, state.configurationId)}/$entity`, ...toShown(state) };
}

/** A record as Graph shows it: the store keeps full texts even if Graph shortens them. */
function toShown({ members, longestText }: StoredRunState): RunStateMembers {
  if (longestText === null) return members;
  const { configurationOutput, configurationError } = members;
  return {
    ...members,
    configurationOutput: configurationOutput?.slice(0, longestText) ?? null,
    configurationError: configurationError?.slice(0, longestText) ?? null,
  };
}

function contextOf(call: Call, configurationId: string): string {
  return `${call.url.origin}/beta/$metadata#deviceManagement/hardwareConfigurations('${configurationId}')/deviceRunStates`;
}

function notFound(call: Call, id: string): Outcome {
  return unchanged(graphErrorAnswer({ status: 404, message: `Resource '${id}' does not exist.`, trace: call.trace }));
}

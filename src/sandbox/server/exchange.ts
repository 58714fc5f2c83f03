// One request from start to response: fault, body, latency, operation, log.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

import { unchanged } from './answer.ts';
import type { Answer, Effect, Outcome } from './answer.ts';
import { claimedAppId } from '../authority/access-tokens.ts';
import { answerAuthority } from '../authority/authority.ts';
import { sentClientRequestId, toCall, withTrace } from './call.ts';
import type { Call } from './call.ts';
import { toFaultAnswer } from '../faults/fault-answer.ts';
import { drawFault } from '../faults/fault-rates.ts';
import type { Fault } from '../faults/fault.ts';
import { graphErrorAnswer } from '../graph/graph-error.ts';
import { answerGraph } from '../graph/graph.ts';
import { windowMs } from '../graph/limiter.ts';
import { accessOf, isDirectoryOperation, isGraphOperation } from '../faults/operation.ts';
import { readBody } from './read-body.ts';
import type { LoggedRequest } from './request-log.ts';
import { findRoute } from './route.ts';
import type { Route } from './route.ts';
import { send } from './send.ts';
import type { World } from '../state.ts';

/** Gives an exchange control of its connection. */
export type Connection = {
  request: IncomingMessage;
  response: ServerResponse;
  reset: () => void;
  closing: AbortSignal;
};

type Exchange = { world: World; connection: Connection; call: Call; route: Route; fault: Fault | undefined };

const waysToBreakOff = ['reset', 'hang'] as const;
const down: Fault = { text: 'down', misbehaviour: { kind: 'reset' }, timing: 'instead', latencyMs: 0 };
const mostBodyBytes = 4 * 1024 * 1024;

/** Serves one request according to the settings, the script and random faults. */
export async function serve(world: World, connection: Connection): Promise<void> {
  const exchange = begin(world, connection);
  const { fault } = exchange;
  const breaking = waysToBreakOff.find((way) => way === fault?.misbehaviour.kind);
  if (breaking !== undefined && fault?.timing === 'instead') {
    breakOff(exchange, breaking, 'none');
    return;
  }
  const outcome = await readAndCarryOut(exchange);
  if (outcome === 'caller-left') return;

  const isHidden = fault?.timing === 'after' && outcome.answer.status < 400;
  if (breaking !== undefined && isHidden) breakOff(exchange, breaking, outcome.effect);
  else await answer(exchange, isHidden ? (faultAnswer(exchange) ?? outcome.answer) : outcome.answer, outcome.effect);
}

function begin(world: World, connection: Connection): Exchange {
  const call = toCall(connection.request, new Date(world.now()));
  const route = findRoute(call.method, call.url.pathname);
  const isGraph = isGraphOperation(route.operation);
  if (isGraph) world.earlyCalls.note(accessOf(route.operation), world.now());
  const isDown =
    world.settings[isGraph ? 'graph' : 'tokenEndpoint'] === 'down' ||
    (isDirectoryOperation(route.operation) && world.settings.directory === 'down');
  const fault = isDown
    ? down
    : (world.script.take(route.operation) ?? drawFault(world.rates, route.operation, world.random));
  return { world, connection, call, route, fault };
}

async function readAndCarryOut(exchange: Exchange): Promise<Outcome | 'caller-left'> {
  const { world, connection, call, route, fault } = exchange;
  const body = await readBody(connection.request, mostBodyBytes);
  if (body.kind === 'broken-off') return 'caller-left';
  await think(exchange);
  if (body.kind === 'too-large') {
    return unchanged(
      graphErrorAnswer({ status: 413, message: 'The request body is larger than 4 MB.', trace: call.trace }),
    );
  }
  const instead = fault?.timing === 'instead' ? faultAnswer(exchange) : undefined;
  if (instead !== undefined) return unchanged(instead);
  const wholeCall = { ...call, body: body.text };
  return isAuthorityRoute(route)
    ? unchanged(await answerAuthority(world, wholeCall, route))
    : await answerGraph(world, wholeCall, route);
}

function isAuthorityRoute(route: Route): route is Parameters<typeof answerAuthority>[2] {
  return !isGraphOperation(route.operation);
}

function faultAnswer({ fault, route, call }: Exchange): Answer | undefined {
  return fault?.misbehaviour.kind === 'answer'
    ? toFaultAnswer(fault.misbehaviour, route.operation, call.trace)
    : undefined;
}

async function think({ world, fault, connection }: Exchange): Promise<void> {
  const [lowestMs, highestMs] = world.settings.latencyMs;
  const latencyMs = (fault?.latencyMs ?? 0) + (highestMs > 0 ? lowestMs + world.random() * (highestMs - lowestMs) : 0);
  if (latencyMs > 0) await sleep(latencyMs, undefined, { signal: connection.closing }).catch(() => undefined);
}

async function answer(exchange: Exchange, answerToSend: Answer, effect: Effect): Promise<void> {
  const { world, connection, call, route, fault } = exchange;
  record(exchange, answerToSend.status, effect);
  if (answerToSend.retryAfterMs !== undefined && isGraphOperation(route.operation)) {
    world.earlyCalls.tell(accessOf(route.operation), answerToSend.retryAfterMs, world.now());
  }
  const kind = fault?.misbehaviour.kind;
  const manner = kind === 'slow' || kind === 'truncated' ? kind : 'whole';
  await send({
    response: connection.response,
    answer: withTrace(answerToSend, call.trace),
    manner,
    abandon: connection.closing,
  });
}

function breakOff(exchange: Exchange, how: 'reset' | 'hang', effect: Effect): void {
  record(exchange, how, effect);
  if (how === 'reset') exchange.connection.reset();
}

function record({ world, call, route, fault }: Exchange, status: LoggedRequest['status'], effect: Effect): void {
  const logged: LoggedRequest = {
    atMs: call.trace.at.getTime(),
    method: call.method,
    path: call.url.pathname + call.url.search,
    operation: route.operation,
    status,
    requestId: call.trace.requestId,
    clientRequestId: sentClientRequestId(call.headers) ?? null,
    appId: claimedAppId(call.headers.authorization),
    effect,
    fault: fault === undefined || fault.misbehaviour.kind === 'none' ? null : fault.text,
  };
  world.tally.note(logged, windowMs(world.settings.limiter));
  world.log.add(logged);
}

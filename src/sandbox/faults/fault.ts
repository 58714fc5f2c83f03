// The faults the sandbox can produce, and how they are parsed from text.
import type { BodyShape } from '../graph/graph-error.ts';

/** A Retry-After as given in a script, sent exactly as written. */
export type ScriptedRetryAfter =
  | { spelling: 'seconds'; text: string }
  | { spelling: 'http-date'; seconds: number }
  | { spelling: 'garbage' }
  | { spelling: 'huge' };

export type Misbehaviour =
  | { kind: 'none' }
  | {
      kind: 'answer';
      status: number;
      body: BodyShape;
      retryAfter: ScriptedRetryAfter | undefined;
      challenge: 'none' | 'claims';
    }
  | { kind: 'reset' }
  | { kind: 'hang' }
  | { kind: 'truncated' }
  | { kind: 'slow' };

export type Fault = {
  /** The text it was parsed from, for the request log. */
  text: string;
  misbehaviour: Misbehaviour;
  /** `instead`: the request is not executed. `after`: it is, but the caller does not get the response. */
  timing: 'instead' | 'after';
  /** Delay before the response. */
  latencyMs: number;
};

/** A script, fault or rate that cannot be parsed; the message quotes the text and lists what is valid. */
export class ScriptError extends Error {
  override readonly name = 'ScriptError';
}

const truths = new Set(['ok', '200', '201', '204']);
const manners = new Set(['reset', 'hang', 'truncated', 'slow'] as const);
const shapes: Record<string, BodyShape> = {
  html: 'html',
  nothing: 'nothing',
  'invalid json': 'invalid-json',
  intune: 'intune',
  'empty code': 'empty-code',
};
const clause =
  /^(?:(after the write)|with retry-after (?:(\d+(?:\.\d+)?)|date (\d+)|(garbage|huge))|(without retry-after)|(with claims)|as (html|nothing|invalid json|intune|empty code)|in (\d+) ?(ms|s))(?: |$)/i;

/**
 * Reads one fault.
 *
 *     fault  = what { clause }
 *     what   = "ok" | "200" | "201" | "204"   answered truthfully
 *            | a status from 400 to 599       answered with that status
 *            | "invalid_client"               the token endpoint's 401
 *            | "reset" | "hang"               the connection is reset; the answer never comes
 *            | "truncated" | "slow"           the true answer, cut off in the middle; dripping over two seconds
 *     clause = "after the write"              the request is carried out all the same
 *            | "with Retry-After" ( seconds, e.g. 2 or 1.5 | "date" seconds | "garbage" | "huge" )
 *            | "without Retry-After"          the same as saying nothing
 *            | "with claims"                  a 401's challenge asks for claims (continuous access evaluation)
 *            | "as" ( "html" | "nothing" | "invalid json" | "intune" | "empty code" )   the body's spelling
 *            | "in" n ( "ms" | "s" )          answered no sooner
 */
export function parseFault(text: string): Fault {
  const normal = text.trim().replace(/\s+/g, ' ');
  const [what = '', ...others] = normal.split(' ');
  const fault: Fault = { text: normal, misbehaviour: parseWhat(what.toLowerCase()), timing: 'instead', latencyMs: 0 };
  let rest = others.join(' ');
  while (rest !== '') {
    const match = clause.exec(rest);
    if (match === null) throw new ScriptError(`"${normal}": cannot understand "${rest}" (see GET / for the grammar)`);
    applyClause(fault, match);
    rest = rest.slice(match[0].length);
  }
  return fault;
}

function parseWhat(word: string): Misbehaviour {
  if (truths.has(word)) return { kind: 'none' };
  if ((manners as Set<string>).has(word)) return { kind: word as 'reset' | 'hang' | 'truncated' | 'slow' };
  const status = word === 'invalid_client' ? 401 : /^[45]\d\d$/.test(word) ? Number(word) : undefined;
  if (status === undefined) {
    throw new ScriptError(`"${word}" is no fault: say ok, a status from 400 to 599, reset, hang, truncated or slow`);
  }
  return { kind: 'answer', status, body: 'graph', retryAfter: undefined, challenge: 'none' };
}

function applyClause(fault: Fault, match: RegExpExecArray): void {
  const [whole, after, seconds, date, odd, without, claims, shape, latency, unit] = match;
  if (after !== undefined) fault.timing = 'after';
  else if (latency !== undefined) fault.latencyMs = Number(latency) * (unit?.toLowerCase() === 's' ? 1000 : 1);
  else if (without === undefined) {
    if (fault.misbehaviour.kind !== 'answer') {
      throw new ScriptError(`"${fault.text}": "${whole.trim()}" needs a status from 400 to 599 before it`);
    }
    if (claims !== undefined) fault.misbehaviour.challenge = 'claims';
    else if (shape !== undefined) fault.misbehaviour.body = shapes[shape.toLowerCase()] ?? 'graph';
    else fault.misbehaviour.retryAfter = toRetryAfter(seconds, date, odd);
  }
}

function toRetryAfter(seconds?: string, date?: string, odd?: string): ScriptedRetryAfter {
  if (seconds !== undefined) return { spelling: 'seconds', text: seconds };
  if (date !== undefined) return { spelling: 'http-date', seconds: Number(date) };
  return { spelling: odd?.toLowerCase() === 'huge' ? 'huge' : 'garbage' };
}

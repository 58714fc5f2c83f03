// Validates the body of a create or update as Graph does: names, JSON types, ranges, enum, dates.
import type { RunState } from '../../graph/wire.ts';
import { parseDateTimeOffset } from './date-time-offset.ts';

export type Verb = 'create' | 'update';

/** The body as Graph would bind it, or its first reason for refusing it. */
export type BoundBody = { kind: 'bound'; members: Record<string, unknown> } | { kind: 'refused'; message: string };

const typeName = 'microsoft.graph.hardwareConfigurationDeviceState';
const readOnly = new Set(['id', 'userId', 'assignmentFilterIds']);
const runStates: Record<RunState, 'known'> = {
  unknown: 'known',
  success: 'known',
  fail: 'known',
  scriptError: 'known',
  pending: 'known',
  notApplicable: 'known',
};

type Check = (value: unknown) => boolean;
type Rule = { presence: 'required' | 'optional'; expects: string; check: Check };

const text: Rule = {
  presence: 'optional',
  expects: 'Edm.String',
  check: (value) => value === null || typeof value === 'string',
};

const rules: Record<string, Rule> = {
  '@odata.type': { presence: 'optional', expects: `#${typeName}`, check: (value) => value === `#${typeName}` },
  deviceName: { ...text, presence: 'required' },
  osVersion: text,
  upn: text,
  configurationOutput: text,
  configurationError: text,
  internalVersion: { presence: 'required', expects: 'Edm.Int32', check: isInt32 },
  configurationState: {
    presence: 'required',
    expects: 'microsoft.graph.runState',
    check: (value) => typeof value === 'string' && Object.hasOwn(runStates, value),
  },
  lastStateUpdateDateTime: {
    presence: 'required',
    expects: 'Edm.DateTimeOffset',
    check: (value) => typeof value === 'string' && parseDateTimeOffset(value) !== undefined,
  },
};

/** Binds a request body strictly: a single unknown, read-only, missing or wrongly typed member refuses all of it. */
export function bindBody(bodyText: string, verb: Verb): BoundBody {
  const body = parseObject(bodyText);
  if (body === undefined) return refused('Unable to read the request body as a JSON object.');
  for (const [name, value] of Object.entries(body)) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (readOnly.has(name)) return refused(`The property '${name}' is read-only and cannot be written.`);
    if (rule === undefined) {
      return refused(
        `The property '${name}' does not exist on type '${typeName}'. ` +
          'Make sure to only use property names that are defined by the type.',
      );
    }
    if (!rule.check(value)) return refused(`Cannot convert the value of '${name}' to the expected '${rule.expects}'.`);
  }
  const missing = Object.keys(rules).find((name) => rules[name]?.presence === 'required' && !Object.hasOwn(body, name));
  if (verb === 'create' && missing !== undefined) return refused(`The property '${missing}' is required.`);
  delete body['@odata.type'];
  return { kind: 'bound', members: body };
}

function parseObject(bodyText: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(bodyText);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function isInt32(value: unknown): boolean {
  return typeof value === 'number' && (value | 0) === value && !Object.is(value, -0);
}

function refused(message: string): BoundBody {
  return { kind: 'refused', message };
}

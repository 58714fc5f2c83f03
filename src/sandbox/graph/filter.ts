// The supported subset of `$filter`: `eq` on three properties, joined by `and`.
import type { RunStateMembers } from './run-state-store.ts';

export type Conditions = Partial<Pick<RunStateMembers, 'deviceName' | 'internalVersion' | 'configurationState'>>;

export type ParsedFilter = { kind: 'filter'; conditions: Conditions } | { kind: 'refused'; message: string };

const condition = /^(deviceName|internalVersion|configurationState) eq (?:'((?:[^']|'')*)'|(-?\d+))(?: and (?=.)|$)/;

/** Parses `deviceName eq 'LAB''01' and internalVersion eq 4`; quotes within a text are doubled. */
export function parseFilter(text: string): ParsedFilter {
  const conditions: Record<string, string | number> = {};
  let rest = text.trim();
  while (rest !== '') {
    const match = condition.exec(rest);
    const [whole = '', member = '', quoted, digits] = match ?? [];
    const isNumber = digits !== undefined;
    if (match === null || isNumber !== (member === 'internalVersion') || Object.hasOwn(conditions, member)) {
      return { kind: 'refused', message: `Invalid filter clause: syntax error or unsupported term at '${rest}'.` };
    }
    conditions[member] = isNumber ? Number(digits) : (quoted ?? '').replaceAll("''", "'");
    rest = rest.slice(whole.length);
  }
  return { kind: 'filter', conditions: conditions };
}

/** Whether a run state satisfies every condition. */
export function satisfies(members: RunStateMembers, conditions: Conditions): boolean {
  return Object.entries(conditions).every(([name, value]) => members[name as keyof Conditions] === value);
}

// The contract's rules for a run result, written apart from the product's: what bytes of a known signer come to.
import { isUtf8 } from 'node:buffer';

/** What is kept of a run result, by the contract's member names. */
export type RunRecord = {
  runId: string;
  deviceId: string;
  hardwareConfigurationId: string;
  deviceName: string;
  policyVersion: number;
  completedAt: string;
  osVersion?: string;
  upn?: string;
  state?: string;
  exitCode?: number;
  output?: string;
  error?: string;
};

export type Ruling =
  { kind: 'accepted'; run: RunRecord } | { kind: 'refused'; status: number; code: string; pointers: string[] };

type Json = Record<string, unknown>;
type Rule = { required?: true; isGood: (value: unknown) => boolean };

const STATES = ['unknown', 'success', 'fail', 'scriptError', 'pending', 'notApplicable'];
const ID_CHARACTERS = new Set('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-');
/** A body, unless a configuration says otherwise. */
export const MOST_BYTES = 262_144;
const MOST_DEEP = 32;
const MOST_MEMBERS = 1000;

const isText = (value: unknown): value is string => typeof value === 'string';
const isName = (value: unknown) =>
  isText(value) && value.length >= 1 && value.length <= 128 && Array.from(value).every((one) => ID_CHARACTERS.has(one));
const hasLength = (least: number, most: number) => (value: unknown) =>
  isText(value) && Array.from(value).length >= least && Array.from(value).length <= most;
const isWhole = (least: number, most: number) => (value: unknown) =>
  typeof value === 'number' && Math.trunc(value) === value && value >= least && value <= most;

const RULES: Record<keyof RunRecord, Rule> = {
  runId: { required: true, isGood: isName },
  deviceId: { required: true, isGood: isName },
  hardwareConfigurationId: { required: true, isGood: isGuid },
  deviceName: { required: true, isGood: hasLength(1, 256) },
  osVersion: { isGood: hasLength(0, 64) },
  upn: { isGood: hasLength(0, 320) },
  policyVersion: { required: true, isGood: isWhole(0, 2 ** 31 - 1) },
  completedAt: { required: true, isGood: isInstant },
  state: { isGood: (value) => isText(value) && STATES.includes(value) },
  exitCode: { isGood: isWhole(-(2 ** 31), 2 ** 32 - 1) },
  output: { isGood: isText },
  error: { isGood: isText },
};

/** Rules on a body that arrived whole and rightly signed. Texts are taken to hold no password. */
export function rule(body: Buffer, signer: string, mostBytes = MOST_BYTES): Ruling {
  const refuse = (status: number, code: string, pointers: string[] = []): Ruling => ({
    kind: 'refused',
    status,
    code,
    pointers,
  });
  if (body.length > mostBytes) return refuse(413, 'too-large');
  const json = parse(body);
  if (json === undefined) return refuse(400, 'invalid-json');
  const members = typeof json.value === 'object' && json.value !== null ? withoutNulls(json.value as Json) : null;
  if (members !== null && isText(members['deviceId']) && members['deviceId'] !== signer) {
    return refuse(403, 'wrong-device');
  }
  if (isExcessive(json.value)) return refuse(422, 'invalid-run-result', ['']);
  if (members === null || Array.isArray(members)) return refuse(422, 'invalid-run-result', ['']);
  const pointers = Object.entries(RULES)
    .filter(([name, { required, isGood }]) =>
      Object.hasOwn(members, name) ? !isGood(members[name]) : required === true,
    )
    .map(([name]) => `/${name}`);
  if (!Object.hasOwn(members, 'state') && !Object.hasOwn(members, 'exitCode')) pointers.push('');
  return pointers.length > 0
    ? refuse(422, 'invalid-run-result', pointers)
    : { kind: 'accepted', run: toRecord(members) };
}

/** Duplicate members: the last one counts, as for every JavaScript parser. */
function parse(body: Buffer): { value: unknown } | undefined {
  if (!isUtf8(body)) return undefined;
  const text = body.toString('utf8');
  try {
    return { value: JSON.parse(text.startsWith('\ufeff') ? text.slice(1) : text) };
  } catch {
    return undefined;
  }
}

/** Null is the same as no member, of those that may be missing; a required one that is null is as wrong as none. */
function withoutNulls(members: Json): Json {
  if (Array.isArray(members)) return members;
  return Object.fromEntries(
    Object.entries(members).filter(
      ([name, value]) => value !== null || (Object.hasOwn(RULES, name) && RULES[name as keyof RunRecord].required),
    ),
  );
}

function toRecord(members: Json): RunRecord {
  const kept = Object.keys(RULES)
    .filter((name) => Object.hasOwn(members, name))
    .map((name) => [name, members[name]]);
  const record = Object.fromEntries(kept) as RunRecord;
  const { exitCode } = record;
  return {
    ...record,
    hardwareConfigurationId: record.hardwareConfigurationId.toLowerCase(),
    // The same 32 bits with a sign.
    ...(exitCode !== undefined && { exitCode: exitCode >= 2 ** 31 ? exitCode - 2 ** 32 : exitCode }),
  };
}

function isExcessive(json: unknown): boolean {
  let members = 0;
  const layers: unknown[][] = [[json]];
  for (let depth = 0; depth < layers.length; depth += 1) {
    const inside = (layers[depth] ?? []).filter((value) => typeof value === 'object' && value !== null);
    if (inside.length === 0) return members > MOST_MEMBERS;
    if (depth >= MOST_DEEP) return true;
    const next = inside.flatMap((value) => Object.values(value) as unknown[]);
    members += next.length;
    layers.push(next);
  }
  return members > MOST_MEMBERS;
}

function isGuid(value: unknown): boolean {
  if (!isText(value) || value.length !== 36) return false;
  return Array.from(value).every((one, at) =>
    [8, 13, 18, 23].includes(at) ? one === '-' : '0123456789abcdefABCDEF'.includes(one),
  );
}

const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** RFC 3339, its letters in upper case, with at most 7 digits of a second and no leap second, that .NET can hold. */
export function isInstant(value: unknown): boolean {
  if (!isText(value)) return false;
  const match = /^(\d\d\d\d)-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d+)?(?:Z|([+-])(\d\d):(\d\d))$/.exec(value);
  if (!match || match[0].length !== value.length) return false;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number);
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = month === 2 && isLeap ? 29 : (MONTH_DAYS[month - 1] ?? 0);
  const isClock = hour < 24 && minute < 60 && second < 60;
  const offset = Number(match[9] ?? 0) * 60 + Number(match[10] ?? 0);
  const isOffset = Number(match[10] ?? 0) < 60 && offset <= 14 * 60;
  // In the very first or last hours an offset may lead out of the years there are.
  const minuteOfDay = hour * 60 + minute;
  const isFirstDay = year === 1 && month === 1 && day === 1;
  const isLastDay = year === 9999 && month === 12 && day === 31;
  const leadsOut =
    (isFirstDay && match[8] === '+' && minuteOfDay < offset) ||
    (isLastDay && match[8] === '-' && minuteOfDay + offset >= 24 * 60);
  const isDay = year >= 1 && day >= 1 && day <= days;
  return isDay && isClock && isOffset && !leadsOut && (match[7] ?? '').length <= 8;
}

/** What Graph is to be sent for a record: the mapping of the contract. */
export function toGraphRecord(run: RunRecord): Record<string, unknown> {
  const byExitCode = run.exitCode === 0 ? 'success' : [3010, 1641].includes(run.exitCode ?? 0) ? 'pending' : 'fail';
  const mapped = {
    '@odata.type': '#microsoft.graph.hardwareConfigurationDeviceState',
    deviceName: run.deviceName,
    osVersion: run.osVersion,
    upn: run.upn,
    internalVersion: run.policyVersion,
    lastStateUpdateDateTime: run.completedAt,
    configurationState: run.state ?? byExitCode,
    configurationOutput: run.output,
    configurationError: run.error,
  };
  return Object.fromEntries(Object.entries(mapped).filter(([, value]) => value !== undefined));
}

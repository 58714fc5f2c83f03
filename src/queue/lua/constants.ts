// Constants that Lua shares with TypeScript: one prologue, generated from the values TypeScript uses.
import { STATUSES, type Status } from '../../domain/delivery.ts';
import { LEAST_FAILURES_IN_A_ROW } from '../../domain/lists/device-list.ts';
import { PASSED_OVER_AT_MOST, RANKS } from '../../domain/priority.ts';
import { QUESTION_UNDER_WAY_MS } from '../../domain/directory/freshness.ts';
import { NEVER_REFUSED } from '../../domain/pace/evidence.ts';
import { PACE_MEMBERS } from '../../domain/pace/pace.ts';
import { REQUESTS_PER_20S, WRITE_SHARE } from '../../domain/pace/request-limit.ts';
import * as tuning from '../../domain/pace/tuning.ts';
import { SUMMARY_CONSTANTS } from '../summaries/layout.ts';

/** How a record's header spells its status: one letter, so that headers stay short. */
export const STATUS_CODES: Record<Status, string> = {
  queued: 'q',
  delivering: 'g',
  waiting: 'w',
  delivered: 'd',
  dead: 'x',
  superseded: 's',
};

/**
 * The format of stored data that this version writes, and the highest that it reads. A record of format 1 has no mark; a later
 * one begins with `v2 `, `v3 `…, and its header goes on as before: scripts of older versions keep it in order, and no more.
 */
export const READS_FORMAT = 1;

/** The format of a tenant that is closed while it is moved to another Redis, and after that: no version reads it. */
const CLOSED_FORMAT = 1_000_000;

/** How long no attempt begins after a move said so. It says so again while it goes on. */
const DRAINED_FOR_MS = 10_000;

/** The maximum length of a header. */
export const HEADER_BYTES = 128;

/** Revision of the list of revoked devices: one small read shows whether it changed. No device id contains this character. */
export const REVISION_FIELD = '#';

/** The field with the Graph and tenant that the facts are about; the other fields are facts. */
export const SUBJECT_FIELD = 'of';

/** The fields of the budget that hold the pace. */
export const PACE_FIELDS = PACE_MEMBERS.map((member) => `pace.${member}`);

type LuaValue = string | number | readonly string[] | Readonly<Record<string, string>>;

const CONSTANTS: Readonly<Record<string, LuaValue>> = {
  ...Object.fromEntries(Object.entries(STATUS_CODES).map(([status, code]) => [status.toUpperCase(), code])),
  STATUS_NAMES: Object.fromEntries(Object.entries(STATUS_CODES).map(([status, code]) => [code, status])),
  STATUSES,
  HEADER_BYTES,
  READS_FORMAT,
  CLOSED_FORMAT,
  DRAINED_FOR_MS,
  REVISION_FIELD,
  SUBJECT_FIELD,
  RANK_COUNT: RANKS.length,
  PASSED_OVER_AT_MOST,
  ...tuning,
  NEVER_REFUSED,
  QUESTION_UNDER_WAY_MS,
  LEAST_FAILURES_IN_A_ROW,
  REQUESTS_PER_20S,
  WRITE_SHARE,
  PACE_MEMBERS,
  PACE_FIELDS,
  ...SUMMARY_CONSTANTS,
};

export const CONSTANT_NAMES = Object.keys(CONSTANTS);

/** Defines the constants that a script names. Lua allows 200 local variables, so the others are left out. */
export function prologueFor(script: string): string {
  const words = new Set(script.match(/\b[A-Z][A-Z0-9_]*\b/g));
  return CONSTANT_NAMES.filter((name) => words.has(name))
    .map((name) => `local ${name} = ${toLua(CONSTANTS[name] ?? '')}`)
    .join('\n');
}

function toLua(value: LuaValue): string {
  // Text of these constants needs no escapes but those that JSON and Lua share.
  if (typeof value !== 'object') return JSON.stringify(value);
  if (isList(value)) return `{${value.map(toLua).join(', ')}}`;
  const fields = Object.entries(value).map(([name, text]) => `[${toLua(name)}] = ${toLua(text)}`);
  return `{${fields.join(', ')}}`;
}

const isList = (value: object): value is readonly string[] => Array.isArray(value);

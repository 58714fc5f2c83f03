// What a device reports of one run: the schema, the type, and parsing that finds every fault at once.
import { z } from 'zod';
import { maskBiosPasswords } from './bios-password.ts';
import { INSTANT_PATTERN, isInstant } from './instant.ts';

/** Graph's six run states, by their names on the wire. */
export const RUN_STATES = ['unknown', 'success', 'fail', 'scriptError', 'pending', 'notApplicable'] as const;
export type RunState = (typeof RUN_STATES)[number];

const INT32_MAX = 2_147_483_647;
const INT32_MIN = -2_147_483_648;

/** Identifiers chosen on the device; nothing in them needs escaping anywhere. */
const name = z.string().regex(/^[A-Za-z0-9._-]{1,128}$/, 'must be 1 to 128 of A–Z a–z 0–9 . _ -');
const characters = (min: 0 | 1, max: number) =>
  z
    .string()
    .refine(
      (text) => text.length >= min && isWithin(text, max),
      `must have ${min === 0 ? 'at most' : `${min} to`} ${max} characters`,
    )
    .meta({ minLength: min, maxLength: max });
const int32 = (min: number) => {
  const message = `must be a whole number from ${min} to ${INT32_MAX}`;
  return z
    .number({ error: message })
    .refine((n) => Number.isInteger(n) && n >= min && n <= INT32_MAX, message)
    .meta({ type: 'integer', minimum: min, maximum: INT32_MAX });
};
const text = z
  .string()
  .transform(maskBiosPasswords)
  .describe('Kept whole; only what looks like a BIOS password on a command line is masked.');

export const deviceIdSchema = name;

export const runResultSchema = z.object({
  runId: name.describe('The device’s own id of this run.'),
  deviceId: name.describe('The device that signs.'),
  hardwareConfigurationId: z
    .string()
    .regex(/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/, 'must be a GUID')
    .transform((guid) => guid.toLowerCase()),
  deviceName: characters(1, 256),
  osVersion: characters(0, 64).optional(),
  upn: characters(0, 320).nullable().optional(),
  policyVersion: int32(0),
  completedAt: z
    .string()
    .refine(isInstant, 'must be an RFC 3339 date-time with offset and at most 7 fractional digits')
    .meta({ format: 'date-time', pattern: INSTANT_PATTERN, description: 'Passed on to Graph character by character.' }),
  state: z
    .enum(RUN_STATES, { error: `must be one of ${RUN_STATES.join(', ')}` })
    .optional()
    .describe('Wins over `exitCode`.'),
  exitCode: int32(INT32_MIN).optional().describe('0: success; 3010, 1641: pending a restart; others: fail.'),
  output: text.optional(),
  error: text.optional(),
});

/** One run as its device reported it, passwords masked, the configuration's id in lower case, unknown members gone. */
export type RunResult = z.infer<typeof runResultSchema>;

/** One thing wrong with a submission: where (RFC 6901 JSON Pointer) and what. */
export type Fault = { pointer: string; detail: string };

export type ParsedRunResult = { ok: true; runResult: RunResult } | { ok: false; faults: Fault[] };

/** Turns untrusted JSON into a run result, or names every fault it has. */
export function parseRunResult(json: unknown): ParsedRunResult {
  const parsed = runResultSchema.safeParse(json);
  const faults = parsed.success
    ? []
    : parsed.error.issues.map((issue) => ({ pointer: toPointer(issue.path), detail: describe(issue, json) }));
  if (isObject(json) && json['state'] === undefined && json['exitCode'] === undefined) {
    faults.push({ pointer: '', detail: 'one of state and exitCode is required' });
  }
  return parsed.success && faults.length === 0 ? { ok: true, runResult: parsed.data } : { ok: false, faults };
}

/** A run result as it is kept and compared: what was parsed has its members in the schema's order, whatever order they came in. */
export function toText(runResult: RunResult): string {
  return JSON.stringify(runResult);
}

function toPointer(path: readonly PropertyKey[]): string {
  return path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

function describe(issue: z.core.$ZodIssue, json: unknown): string {
  const [member] = issue.path;
  const missing = isObject(json) && typeof member === 'string' && json[member] === undefined;
  return missing ? 'is required' : issue.message;
}

function isObject(json: unknown): json is Record<string, unknown> {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

/** Counts Unicode code points, as people count characters, where it is not clear without. */
function isWithin(text: string, limit: number): boolean {
  return text.length <= limit || (text.length <= limit * 2 && Array.from(text).length <= limit);
}

// A run result as a device reports it: schema, type, and a parser that reports all faults at once.
import { z } from 'zod';
import { maskBiosPasswords } from '../masking/bios-password.ts';
import { faultOfInstant, INSTANT_PATTERN } from './instant.ts';

/** Graph's six run states, by their wire names. */
export const RUN_STATES = ['unknown', 'success', 'fail', 'scriptError', 'pending', 'notApplicable'] as const;
export type RunState = (typeof RUN_STATES)[number];

const INT32_MAX = 2_147_483_647;
const INT32_MIN = -2_147_483_648;
const UINT32_MAX = 4_294_967_295;

/** Identifiers chosen by the device, restricted to characters that never need escaping. */
const name = z.string().regex(/^[A-Za-z0-9._-]{1,128}$/, 'must be 1 to 128 of A–Z a–z 0–9 . _ -');
const characters = (min: 0 | 1, max: number) =>
  z
    .string()
    .refine(
      (text) => text.length >= min && isWithin(text, max),
      `must have ${min === 0 ? 'at most' : `${min} to`} ${max} characters`,
    )
    .meta({ minLength: min, maxLength: max });
const wholeNumber = (min: number, max: number) => {
  const message = `must be a whole number from ${min} to ${max}`;
  return z
    .number({ error: message })
    .refine((n) => Number.isInteger(n) && n >= min && n <= max, message)
    .meta({ type: 'integer', minimum: min, maximum: max });
};
/** Windows writes the same 32 bits as -2147024891 or as 2147942405; both are read as the signed value. */
const exitCode = wholeNumber(INT32_MIN, UINT32_MAX).transform((n) => n | 0);
const text = z
  .string()
  .transform(maskBiosPasswords)
  .describe('Kept whole; only what looks like a BIOS password on a command line is masked.');
/** Many serializers write all members, so null is treated as absent. */
const optional = <Member extends z.ZodType>(member: Member) =>
  member
    .nullable()
    .transform((value) => value ?? undefined)
    .optional();

export const deviceIdSchema = name;

export const runResultSchema = z.object({
  runId: name.describe('The device’s own id of this run.'),
  deviceId: name.describe('The device that signs.'),
  hardwareConfigurationId: z
    .string()
    .regex(/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/, 'must be a GUID')
    .transform((guid) => guid.toLowerCase()),
  deviceName: characters(1, 256),
  osVersion: optional(characters(0, 64)),
  upn: optional(characters(0, 320)),
  policyVersion: wholeNumber(0, INT32_MAX),
  completedAt: z
    .string()
    .check(({ value, issues }) => {
      const fault = faultOfInstant(value);
      if (fault !== null) issues.push({ code: 'custom', input: value, message: fault });
    })
    .meta({
      format: 'date-time',
      pattern: INSTANT_PATTERN,
      description: 'Passed on to Graph character by character. Its year is 1 to 9999, in UTC too.',
    }),
  state: optional(z.enum(RUN_STATES, { error: `must be one of ${RUN_STATES.join(', ')}` })).describe(
    'Wins over `exitCode`.',
  ),
  exitCode: optional(exitCode).describe(
    '0: success; 3010, 1641: pending a restart; others: fail. From 2147483648 on it is an unsigned 32-bit number, read as the signed one.',
  ),
  output: optional(text),
  error: optional(text),
});

/** A parsed run result: passwords masked, exit code signed, configuration id in lower case, unknown members removed. */
export type RunResult = z.infer<typeof runResultSchema>;

/** One fault of a submission: where (RFC 6901 JSON Pointer) and what. */
export type Fault = { pointer: string; detail: string };

export type ParsedRunResult = { ok: true; runResult: RunResult } | { ok: false; faults: Fault[] };

/** Parses untrusted JSON into a run result, or returns all its faults. */
export function parseRunResult(json: unknown): ParsedRunResult {
  const parsed = runResultSchema.safeParse(json);
  const faults = parsed.success
    ? []
    : parsed.error.issues.map((issue) => ({ pointer: toPointer(issue.path), detail: describe(issue, json) }));
  if (isObject(json) && isAbsent(json['state']) && isAbsent(json['exitCode'])) {
    faults.push({ pointer: '', detail: 'one of state and exitCode is required' });
  }
  return parsed.success && faults.length === 0 ? { ok: true, runResult: parsed.data } : { ok: false, faults };
}

/** A run result as it is stored. Parsing puts members into the schema's order, whatever order they arrived in. */
export function toText(runResult: RunResult): string {
  return JSON.stringify(runResult);
}

function toPointer(path: readonly PropertyKey[]): string {
  return path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

function describe(issue: z.core.$ZodIssue, json: unknown): string {
  const [member] = issue.path;
  const missing = isObject(json) && typeof member === 'string' && isAbsent(json[member]);
  return missing ? 'is required' : issue.message;
}

const isAbsent = (value: unknown) => value === undefined || value === null;

function isObject(json: unknown): json is Record<string, unknown> {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

/** Counts Unicode code points, as people count characters, but only if the length in UTF-16 does not decide. */
function isWithin(text: string, limit: number): boolean {
  return text.length <= limit || (text.length <= limit * 2 && Array.from(text).length <= limit);
}

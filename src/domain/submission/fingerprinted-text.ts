// A canonical text of what a device reported for a run, independent of how it was written. Fingerprints are taken over it.

/**
 * The members included, in this order. Stored fingerprints depend on this form, so it must never change: it is independent
 * of the schema and of the masking. If the schema gains a member, new fingerprints need an additional form beside this one.
 */
const MEMBERS = [
  'runId',
  'deviceId',
  'hardwareConfigurationId',
  'deviceName',
  'osVersion',
  'upn',
  'policyVersion',
  'completedAt',
  'state',
  'exitCode',
  'output',
  'error',
] as const;

const OUTLINE = ['hardwareConfigurationId', 'policyVersion', 'completedAt', 'state', 'exitCode'] as const;

/** The full text, and an outline of the members that contain no secrets and no names. */
export type Said = { text: string; outline: string };

/**
 * Writes what a device reported, unmasked, in a form that does not depend on the serializer, so it survives an update of
 * the agent: member order, white space, escapes and number notation are irrelevant, unknown members and null are ignored,
 * GUIDs are case-insensitive, and signed and unsigned exit codes are the same. All else is kept character by character.
 * @param json a run result that was parsed without faults
 */
export function toSaid(json: unknown): Said {
  const given = json as Record<string, unknown>;
  const said: Record<string, unknown> = {};
  for (const name of MEMBERS) said[name] = normalise(name, given[name] ?? undefined);
  return { text: JSON.stringify(said), outline: JSON.stringify(OUTLINE.map((name) => said[name])) };
}

function normalise(name: string, value: unknown): unknown {
  if (name === 'hardwareConfigurationId') return String(value).toLowerCase();
  return name === 'exitCode' && typeof value === 'number' ? value | 0 : value;
}

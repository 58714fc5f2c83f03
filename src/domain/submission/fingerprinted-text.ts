// What a device said of a run, in one form however it was written: fingerprints are over this.

/**
 * Members that count, in this order. The form is what stored fingerprints are over, so it never changes: it depends
 * neither on the schema nor on the masking. A member that the schema gets later is a form of its own, which new
 * fingerprints are over, beside this one.
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

/** What was said: all of it, and an outline of what no secret and no name is in. */
export type Said = { text: string; outline: string };

/**
 * Writes what a device said, nothing masked. The same however the device wrote it, before and after an update of its
 * agent: the order of members, white space, escapes and the spelling of numbers do not matter, unknown members and
 * null are nothing, a GUID's letters have no case, and an exit code is the same signed or unsigned. Everything else
 * is as it was said, character by character.
 * @param json a run result that was parsed without fault
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

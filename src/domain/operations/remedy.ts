// What an operator can do about a dead letter, by its code; remedies for holds are in hold.ts.

/** Codes with a specific remedy; every other `graph-<status>` gets the general one. */
export const DEAD_LETTER_REMEDIES: Readonly<Record<string, string>> = {
  'graph-400':
    'Graph finds the record malformed, and would again. Read the detail, correct what sends such run results, and purge this one; replay it only if the service has changed.',
  'graph-404':
    'The hardware configuration does not exist in this tenant, or not any more. Restore it, or correct the agent that names it, and replay; purge what nobody needs.',
  'graph-405':
    'Graph takes no creates at this address. Check that GRAPH_BASE_URL and GRAPH_CLOUD name a service with hardware configurations (beta), then replay.',
  'graph-409':
    'Graph says the record collides with another, and has none that agrees with it. Compare it with what Graph has for this device and configuration: remove what is in the way and replay, or purge this one.',
  'graph-410':
    'The hardware configuration was deleted for good. Purge it, or replay after the configuration exists again under the same id.',
  'graph-413': 'The output is longer than Graph takes. Shorten what the run prints, and purge this one.',
  'graph-422': 'Graph understands the record and refuses what it says. Read the detail, fix the cause, then replay.',
  'graph-501':
    'Graph does not offer this in the tenant’s cloud. Check GRAPH_CLOUD and GRAPH_BASE_URL, and whether the tenant has hardware configurations at all; then replay.',
  expired:
    'It could not be sent for so long that it was given up, so it is surely not in Graph. Mend the connection, then replay.',
  'expired-uncertain':
    'Whether Graph has it could not be learnt for so long that it was given up. Replay when Graph is well: it looks first, and creates only what is not there.',
};

const GENERAL =
  'Graph refused this record and would again. Read the detail, fix the cause, then replay; purge what nobody needs. Microsoft’s support asks for the request id.';

/** @param code of a dead letter: `graph-<status>`, `expired`, … */
export const remedyOf = (code: string): string =>
  (Object.hasOwn(DEAD_LETTER_REMEDIES, code) ? DEAD_LETTER_REMEDIES[code] : undefined) ?? GENERAL;

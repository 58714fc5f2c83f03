// Which keys of a tenant move with it, by their names below its root.

/**
 * Not moved, each for its reason:
 * - `call:…` replies to calls that may be repeated: who repeats one does it here;
 * - `rate:…` what devices submitted in this minute: they begin a new one;
 * - `questions:…` BullMQ's questions to the device directory: who needs the answer asks again;
 * - `directory-throttle`, `directory-suspects`, `directory-reader` why the directory is not asked for some seconds or minutes;
 * - `replicas`, `vouched` what was seen of this server's replicas;
 * - `probe`, `doctor` tries;
 * - `move`, `move-lock`, `past-moves` the move itself, and those before it.
 */
const STAYS =
  /^(call:.*|rate:.*|questions:.*|directory-(throttle|suspects|reader)|replicas|vouched|probe|doctor|move|move-lock|past-moves)$/s;

/** Written by processes that serve a tenant without any run result: it is no data of its own, and is replaced. */
const OF_IDLE_PROCESSES = /^(facts|devices|unknown-devices|forgotten-devices|directory-hold)$/;

/** The fields of the counts that close a tenant: they are about one server, and not its data. */
export const CLOSING_FIELDS: readonly string[] = ['format', 'moved', 'draining'];

export const isMoved = (name: string): boolean => !STAYS.test(name);

/** Whether a key shows that the tenant is in use where its data is to be moved. */
export const isInUse = (name: string): boolean => isMoved(name) && !OF_IDLE_PROCESSES.test(name);

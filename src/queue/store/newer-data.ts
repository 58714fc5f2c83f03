// Data of a newer version, which this one neither reads nor changes: a tenant's format says so, or the mark of a record.

/** `tenant`: all data of the tenant · `record`: one delivery, the others go on. */
export type NewerScope = 'tenant' | 'record';

/** Not a defect: a process of the newer version works on it. The message is for operators. */
export class NewerData extends Error {
  readonly scope: NewerScope;

  constructor(scope: NewerScope, detail: string) {
    super(detail);
    this.name = 'NewerData';
    this.scope = scope;
  }
}

/** How `lua/includes/format.lua` begins its reply. */
const REPLY = /^NEWERDATA (.*)$/s;

/** The same error, or what it means if a script refused to work on a tenant's data. */
export function toNewerData(error: unknown): unknown {
  const detail = error instanceof Error ? REPLY.exec(error.message)?.[1] : undefined;
  return detail === undefined ? error : new NewerData('tenant', detail);
}

// Data that this process neither reads nor changes: a newer version's, or that of a tenant which is moved to another Redis.
import { READS_FORMAT } from '../lua/constants.ts';

/** `tenant`: all data of the tenant · `record`: one delivery, the others go on. */
export type LeftAloneScope = 'tenant' | 'record';

/** `newer`: a newer version works on it · `moved`: it is being moved between two Redis, or was moved away from this one. */
export type LeftAloneReason = 'newer' | 'moved';

/** Not a defect: another process works on it, or will. The message is for operators. */
export class LeftAlone extends Error {
  readonly scope: LeftAloneScope;
  readonly reason: LeftAloneReason;

  constructor(scope: LeftAloneScope, reason: LeftAloneReason, detail: string) {
    super(detail);
    this.name = 'LeftAlone';
    this.scope = scope;
    this.reason = reason;
  }
}

/** How `lua/includes/format.lua` begins its replies. */
const REPLY = /^(NEWERDATA|MOVEDDATA) (.*)$/s;

/** The same error, or what it means if a script refused to work on a tenant's data. */
export function toLeftAlone(error: unknown): unknown {
  const [, kind, detail] = (error instanceof Error && REPLY.exec(error.message)) || [];
  return detail === undefined ? error : new LeftAlone('tenant', kind === 'MOVEDDATA' ? 'moved' : 'newer', detail);
}

/**
 * For reads without a script.
 * @param format and `moved`: these fields of the tenant's counts
 * @throws LeftAlone if they say so
 */
export function refuseLeftAlone(format: string | null, moved: string | null): void {
  if (Number(format ?? 1) <= READS_FORMAT) return;
  if (moved !== null) throw new LeftAlone('tenant', 'moved', moved);
  throw new LeftAlone('tenant', 'newer', `the data has format ${format}, this version reads up to ${READS_FORMAT}`);
}

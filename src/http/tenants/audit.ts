// Who changed what: one line for each operation of an operator.
import type { Response } from 'express';
import type { DeadLetterFilter } from '../../domain/operations/dead-letter.ts';
import type { ReplayOperation } from '../../domain/replay/replay.ts';
import { contextOf } from '../request/context.ts';

export type Operation = {
  operation:
    'replay' | 'purge' | 'revoke' | 'restore' | 'retire' | 'forget' | 'replay-start' | `replay-${ReplayOperation}`;
  tenantId: string;
  deviceId?: string;
  deliveryId?: string;
  replayId?: string;
  /** Of a replay at a rate: what it is to do, and has done by now. */
  filter?: DeadLetterFilter;
  perSecond?: number;
  matched?: number;
  replayed?: number;
  skipped?: number;
  /** How long it took, once it has ended. */
  seconds?: number;
  /** Whether anything was changed, or how many. */
  changed: boolean | number;
};

/** An operation and who did it: the app of an Entra token, or null for whoever has the operator token. */
export type OperationDone = Operation & { requestId: string; appId: string | null };

export type AuditParts = { onOperation: (done: OperationDone) => void };

export function audit({ onOperation }: AuditParts, res: Response, operation: Operation): void {
  const { requestId, appId } = contextOf(res);
  onOperation({ ...operation, requestId, appId });
}

// Who changed what: one line for each operation of an operator.
import type { Response } from 'express';
import { contextOf } from '../request/context.ts';

export type Operation = {
  operation: 'replay' | 'purge' | 'revoke' | 'restore' | 'forget';
  tenantId: string;
  deviceId?: string;
  deliveryId?: string;
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

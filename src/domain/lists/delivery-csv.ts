// The columns of deliveries in CSV.
import type { Delivery } from '../delivery.ts';
import { createCsv, toIsoCell } from './csv.ts';

export const DELIVERY_CSV = createCsv<Delivery>({
  deliveryId: ({ id }) => id,
  tenant: ({ tenantId }) => tenantId,
  deviceId: ({ deviceId }) => deviceId,
  runId: ({ runId }) => runId,
  hardwareConfigurationId: ({ hardwareConfigurationId }) => hardwareConfigurationId,
  status: ({ status }) => status,
  acceptedAt: ({ acceptedAt }) => toIsoCell(acceptedAt),
  deliveredAt: ({ deliveredAt }) => toIsoCell(deliveredAt),
  attempts: ({ attemptsMade }) => attemptsMade,
  deviceRunStateId: ({ deviceRunStateId }) => deviceRunStateId,
  supersededBy: ({ supersededBy }) => supersededBy,
  failureCode: ({ lastFailure }) => lastFailure?.code ?? null,
  failureDetail: ({ lastFailure }) => lastFailure?.detail ?? null,
  graphStatus: ({ lastFailure }) => lastFailure?.graphStatus ?? null,
  graphRequestId: ({ lastFailure }) => lastFailure?.graphRequestId ?? null,
});

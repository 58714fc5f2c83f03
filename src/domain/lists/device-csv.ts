// The columns of devices' last run results in CSV.
import { createCsv, toIsoCell } from './csv.ts';
import type { DeviceReport } from './device-list.ts';

export const DEVICE_CSV = createCsv<DeviceReport>({
  deviceId: ({ deviceId }) => deviceId,
  deviceName: ({ deviceName }) => deviceName,
  tenant: ({ tenantId }) => tenantId,
  hardwareConfigurationId: ({ hardwareConfigurationId }) => hardwareConfigurationId,
  reportedAt: ({ reportedAt }) => toIsoCell(reportedAt),
  state: ({ state }) => state,
  failuresInARow: ({ failuresInARow }) => failuresInARow,
  deliveryId: ({ deliveryId }) => deliveryId,
  status: ({ status }) => status,
});

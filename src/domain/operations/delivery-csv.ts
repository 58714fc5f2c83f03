// Deliveries as lines of CSV (RFC 4180), which a spreadsheet shows as text: no cell is a formula.
import type { Delivery } from '../delivery.ts';
import { toVisible } from './visible-text.ts';

const toIso = (at: number | null) => (at === null ? '' : new Date(at).toISOString());

const COLUMNS: Record<string, (delivery: Delivery) => string> = {
  deliveryId: ({ id }) => id,
  tenant: ({ tenantId }) => tenantId,
  deviceId: ({ deviceId }) => deviceId,
  runId: ({ runId }) => runId,
  hardwareConfigurationId: ({ hardwareConfigurationId }) => hardwareConfigurationId,
  status: ({ status }) => status,
  acceptedAt: ({ acceptedAt }) => toIso(acceptedAt),
  deliveredAt: ({ deliveredAt }) => toIso(deliveredAt),
  attempts: ({ attemptsMade }) => String(attemptsMade),
  deviceRunStateId: ({ deviceRunStateId }) => deviceRunStateId ?? '',
  supersededBy: ({ supersededBy }) => supersededBy ?? '',
  failureCode: ({ lastFailure }) => lastFailure?.code ?? '',
  failureDetail: ({ lastFailure }) => lastFailure?.detail ?? '',
  graphStatus: ({ lastFailure }) => String(lastFailure?.graphStatus ?? ''),
  graphRequestId: ({ lastFailure }) => lastFailure?.graphRequestId ?? '',
};

/** What spreadsheets take for the beginning of a formula, also in full width and after white space. */
const FORMULA = /^\s*[=+\-@\uFF1D\uFF0B\uFF0D\uFF20]/;

export const CSV_HEAD = `${Object.keys(COLUMNS).map(toCell).join(',')}\r\n`;

export const toCsvLine = (delivery: Delivery): string =>
  `${Object.values(COLUMNS)
    .map((read) => toCell(read(delivery)))
    .join(',')}\r\n`;

/** Always quoted: a list separator of another language must not begin a cell. */
function toCell(text: string): string {
  const visible = toVisible(text);
  return `"${(FORMULA.test(visible) ? `'${visible}` : visible).replaceAll('"', '""')}"`;
}

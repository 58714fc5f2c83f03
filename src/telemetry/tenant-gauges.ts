// The gauges of tenants as Prometheus text. Read from Redis for each scrape, they keep no state, so no client library is needed.
import type { TenantLabels } from './events.ts';

/** Values by the gauge's own label. */
type ByLabel = Readonly<Record<string, number>>;

/** What is shown of a tenant. The directory's are null where it is not used, and absent then. */
export type TenantGauges = {
  deliveries: ByLabel;
  oldestQueuedAgeSeconds: number;
  budgetWritesPerSecond: number;
  drainSeconds: number;
  held: ByLabel;
  heldConfigurations: ByLabel;
  heldDeliveries: number;
  directoryWaiting: number | null;
  directoryKnown: number | null;
  directoryHeld: ByLabel | null;
};

type Definition = { name: string; help: string; label?: string };

export const TENANT_GAUGES: Record<keyof TenantGauges, Definition> = {
  deliveries: {
    name: 'runstate_deliveries',
    help: 'Deliveries by status; delivered ones are counted for ever.',
    label: 'status',
  },
  oldestQueuedAgeSeconds: {
    name: 'runstate_oldest_queued_age_seconds',
    help: 'Age of the oldest delivery that has not ended.',
  },
  budgetWritesPerSecond: {
    name: 'runstate_budget_writes_per_second',
    help: 'The pace allowed at present, over all workers.',
  },
  drainSeconds: {
    name: 'runstate_drain_seconds',
    help: 'When the backlog will be created at the present pace.',
  },
  held: { name: 'runstate_held', help: 'Whether nobody calls Graph for this reason.', label: 'reason' },
  heldConfigurations: {
    name: 'runstate_held_configurations',
    help: 'Hardware configurations whose deliveries are kept back for this reason.',
    label: 'reason',
  },
  heldDeliveries: {
    name: 'runstate_held_deliveries',
    help: 'Deliveries kept back since their hardware configuration is held; they also count in their status.',
  },
  directoryWaiting: {
    name: 'runstate_directory_waiting',
    help: 'Questions that wait for the device directory; absent where it is not used.',
  },
  directoryKnown: {
    name: 'runstate_directory_known',
    help: 'Devices whose answer from the directory is remembered; absent where it is not used.',
  },
  directoryHeld: {
    name: 'runstate_directory_held',
    help: 'Whether nobody asks the device directory for this reason; absent where it is not used.',
    label: 'reason',
  },
};

export type TenantReading = { labels: TenantLabels; gauges: TenantGauges };

/** Neither tenants' ids nor statuses and reasons have characters that would need an escape. */
export function renderTenantGauges(readings: readonly TenantReading[]): string {
  return Object.entries(TENANT_GAUGES)
    .map(([gauge, definition]) => render(definition, gauge as keyof TenantGauges, readings))
    .join('');
}

function render(
  { name, help, label = '' }: Definition,
  gauge: keyof TenantGauges,
  readings: readonly TenantReading[],
): string {
  let lines = '';
  for (const { labels, gauges } of readings) {
    const tenant = labels.tenant === undefined ? '' : `tenant="${labels.tenant}"`;
    const value = gauges[gauge];
    if (value === null) continue;
    if (typeof value === 'number') lines += `${name}${tenant === '' ? '' : `{${tenant}}`} ${value}\n`;
    else {
      const [begins, ends] = [`${name}{${label}="`, tenant === '' ? '"} ' : `",${tenant}} `];
      for (const key in value) lines += begins + key + ends + String(value[key]) + '\n';
    }
  }
  return lines === '' ? '' : `\n# HELP ${name} ${help}\n# TYPE ${name} gauge\n${lines}`;
}

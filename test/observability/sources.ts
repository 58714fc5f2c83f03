// The alerts and the dashboard as their files have them, and the metrics they speak of.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { TENANT_GAUGES } from '../../src/telemetry/tenant-gauges.ts';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const PROMETHEUS = join(ROOT, 'observability/prometheus');

export type Alert = { name: string; severity: string; summary: string; action: string; runbook: string };
type Panel = { type: string; title: string; targets?: { expr: string }[] };
export type PanelQuery = { panel: string; expr: string };

export const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

/** The alerts, as text: whether it is right as YAML and as rules, promtool says. */
export function readAlerts(): Alert[] {
  const [, ...blocks] = read('observability/prometheus/alerts.yml').split(/^ +- alert: /m);
  return blocks.map((block) => {
    const annotation = (name: string) => new RegExp(`^ +${name}: '?(.*?)'?$`, 'm').exec(block)?.[1] ?? '';
    return {
      name: /^\w+/.exec(block)?.[0] ?? '',
      severity: /\bseverity: (\w+)/.exec(block)?.[1] ?? '',
      summary: annotation('summary'),
      action: annotation('action'),
      runbook: annotation('runbook'),
    };
  });
}

/** Every query of the dashboard, as Prometheus takes it. */
export function readPanelQueries(): PanelQuery[] {
  const { panels } = JSON.parse(read('observability/grafana/dashboards/runstate-bridge.json')) as { panels: Panel[] };
  return panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => ({ panel: title, expr: expr.replaceAll('$__rate_interval', '1m') })),
  );
}

/** The names a scrape shows; a histogram has three. */
export async function readMetricNames(): Promise<string[]> {
  const text = await createMetrics().text();
  const own = Array.from(text.matchAll(/^# TYPE (\w+) (\w+)$/gm), ([, name = '', type]) => ({ name, type })).flatMap(
    ({ name, type }) => (type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name]),
  );
  return [...own, ...Object.values(TENANT_GAUGES).map(({ name }) => name)];
}

/** The selectors in a query, with their labels: `runstate_held{reason="throttled"}`. */
export function selectorsOf(expr: string): string[] {
  return expr.match(/\b(?:(?:runstate|process|nodejs)_\w+|up\b)(?:\{[^}]*\})?/g) ?? [];
}

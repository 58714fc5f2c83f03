// The Helm chart: its values and their schema as they are, and what Helm makes of it.
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse, parseAllDocuments } from 'yaml';

export const CHART = 'deploy/helm/runstate-bridge';
/** Sets of values that an installation may look like. */
export const SETS = readdirSync(`${CHART}/ci`).map((file) => file.replace('.yaml', ''));

export type Values = Record<string, unknown>;
export type Role = 'api' | 'worker';
export type Container = {
  env: { name: string; value?: string; valueFrom?: unknown }[];
  securityContext: object;
  volumeMounts: { name: string; mountPath: string }[];
  [member: string]: unknown;
};
export type PodSpec = {
  containers: [Container];
  volumes: { name: string; projected?: { sources: unknown[] } }[];
  securityContext: object;
  [member: string]: unknown;
};
export type KubernetesObject = {
  apiVersion: string;
  kind: string;
  metadata: { name: string; labels: Record<string, string> };
  spec: Record<string, unknown>;
};

export const readChart = (file: string): Values => parse(readFileSync(join(CHART, file), 'utf8')) as Values;

/** Runs Helm. @throws Error with what Helm says, where it refuses */
export function helm(args: string[], input = ''): Promise<{ stdout: string }> {
  const ran = promisify(execFile)('helm', args, { maxBuffer: 2 ** 24 });
  ran.child.stdin?.end(input);
  return ran;
}

/** What Helm renders from these values alone. */
export async function renderValues(values: Values, release = 'rb'): Promise<KubernetesObject[]> {
  const { stdout } = await helm(['template', release, CHART, '-n', 'bridge', '-f', '-'], JSON.stringify(values));
  return parseAllDocuments(stdout).map((document) => document.toJS() as KubernetesObject);
}

/** What Helm renders from a set of values; changes are laid over it by their paths, and undefined takes a value out. */
export function render(set: string, changes: Values = {}): Promise<KubernetesObject[]> {
  const values = readChart(`ci/${set}.yaml`);
  for (const [path, value] of Object.entries(changes)) {
    const names = path.split('.');
    const last = names.pop() ?? '';
    const parent = names.reduce((inner, name) => (inner[name] ??= {}) as Values, values);
    if (value === undefined) Reflect.deleteProperty(parent, last);
    else parent[last] = value;
  }
  return renderValues(values);
}

/** The first object of a kind, of one role where there is one for each. */
export function find(objects: KubernetesObject[], kind: string, role?: Role): KubernetesObject {
  const found = objects.find((one) => one.kind === kind && (!role || one.metadata.name.endsWith(`-${role}`)));
  if (!found) throw new Error(`the chart renders no ${kind} ${role ?? ''}`);
  return found;
}

export function podOf(objects: KubernetesObject[], role: Role): PodSpec {
  const { spec } = find(objects, 'Deployment', role) as unknown as { spec: { template: { spec: PodSpec } } };
  return spec.template.spec;
}

/** What KEDA asks Prometheus for a ScaledObject. */
export const queryOf = ({ spec }: KubernetesObject): string =>
  (spec as { triggers: [{ metadata: { query: string } }] }).triggers[0].metadata.query;

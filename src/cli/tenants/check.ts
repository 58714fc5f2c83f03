// `tenants check` and `tenants list`: what is in a tenants file, what is wrong with it, and whether its credentials work.
import type { TenantConfig } from '../../config/tenants/tenant.ts';
import { worst, type Finding } from '../../doctor/finding.ts';
import { judgeToken } from '../../doctor/token.ts';
import { obtainToken } from '../../graph/inspection/inspect.ts';
import { EXIT } from '../exit.ts';
import { print, printJson } from '../out.ts';
import { toTable } from '../table.ts';
import { fileOf, readForBoth } from './tenants-file.ts';

export type ListFlags = { json?: true };
export type CheckFlags = { online?: true; json?: true };

export async function listTenants(file: string | undefined, { json }: ListFlags): Promise<void> {
  const { tenants, faults } = await readForBoth(fileOf(file));
  if (faults.length > 0) {
    refuse(faults, json);
    return;
  }
  const rows = tenants.map(describe);
  if (json) {
    printJson({ tenants: rows });
    return;
  }
  const head = ['tenant', 'Entra tenant', 'app', 'credential', 'devices', 'writes/20 s', ''];
  print(
    ...toTable(
      head,
      rows.map((row) => [
        row.id,
        row.tenantId,
        row.clientId,
        row.credential,
        row.devices.join(', '),
        row.writesPer20s,
        row.paused ? 'paused' : '',
      ]),
    ),
  );
}

export async function checkTenants(file: string | undefined, { online, json }: CheckFlags): Promise<void> {
  const { tenants, faults } = await readForBoth(fileOf(file));
  if (faults.length > 0) {
    refuse(faults, json);
    return;
  }
  const checked: { id: string; findings: Finding[] }[] = [];
  for (const tenant of tenants) {
    const findings = online === true ? await tryCredential(tenant) : [];
    checked.push({ id: tenant.id, findings });
    if (!json)
      for (const { check, result, detail, remedy } of findings)
        print(`${tenant.id} ${check}: ${result}, ${detail}`, ...(remedy === null ? [] : [`  → ${remedy}`]));
  }
  const result = worst(checked.flatMap(({ findings }) => findings));
  if (json) printJson({ faults, tenants: checked, result });
  else print(`${tenants.length} tenants, no faults${online === true ? `; credentials: ${result}` : ''}`);
  process.exitCode = { ok: EXIT.ok, skipped: EXIT.ok, warning: EXIT.degraded, failed: EXIT.failed }[result];
}

function refuse(faults: readonly string[], json: true | undefined): void {
  if (json) printJson({ faults });
  else print(...faults);
  process.exitCode = EXIT.config;
}

async function tryCredential({ graph, directory }: TenantConfig): Promise<Finding[]> {
  const alsoNeeded = directory ? ['Device.Read.All'] : [];
  return judgeToken(await obtainToken(graph, Date.now), { credential: graph.credential, alsoNeeded }, Date.now());
}

function describe({ id, graph: { credential }, groupKeys, devices, directory, delivery, isPaused }: TenantConfig) {
  const app = credential === null || credential.kind === 'managed-identity' ? null : credential;
  return {
    id,
    tenantId: app?.tenantId ?? '',
    clientId: credential?.clientId ?? '',
    credential: credential?.kind ?? 'none',
    devices: [
      ...(groupKeys.length > 0 ? ['keys'] : []),
      ...(devices ? ['certificates'] : []),
      ...(directory ? ['directory'] : []),
    ],
    writesPer20s: delivery.writesPer20s,
    paused: isPaused,
  };
}

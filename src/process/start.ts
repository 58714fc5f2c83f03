// Runs a process: reads its configuration, or exits naming every fault; opens its log, events and tracer; then its parts.
import { EXIT_CONFIG, type Config, type Role } from '../config/config.ts';
import { readConfiguration } from './configuration.ts';
import { createLifecycle } from './lifecycle.ts';
import type { Parts } from './parts.ts';
import { createLog, switchLevelOnSignal } from '../telemetry/log.ts';
import { takeOverOutput, type Outlet } from '../telemetry/output.ts';
import { describeProtections } from '../config/protections.ts';
import { createTelemetry, type Telemetry } from '../telemetry/telemetry.ts';
import { openTracer } from '../telemetry/tracing.ts';
import { parseTracing } from '../config/tracing.ts';

export type Started = { telemetry: Telemetry; parts: Parts };

/** Opens what a process is made of, such as `openApi`. */
export type Open = (config: Config, started: Started) => Promise<unknown>;

/** Runs a process of this role until a signal ends it. Exits with 78 if the environment is not usable. */
export async function runProcess(role: Role, open: Open): Promise<void> {
  const { stdout, stderr } = takeOverOutput();
  const config = await configure(role, stdout);
  const log = createLog(role, config.logLevel, stdout);
  switchLevelOnSignal(log, config.logLevel);
  const telemetry = createTelemetry(log, { byTenant: config.tenantsFile !== null });
  const { events } = telemetry;
  for (const outlet of [stdout, stderr]) outlet.report(events.output);
  if (config.ignored.length > 0) events.variablesIgnored(config.ignored);
  if (config.unused.length > 0) events.variablesUnused(config.unused);
  events.protections(describeProtections(config, role));
  const { parts, started } = createLifecycle(log, {
    drainMs: config.drainMs,
    graceMs: config.shutdownGraceMs,
    onCloseFailed: events.closeFailed,
  });
  const tracer = await openTracer(parseTracing(process.env), {
    process: role,
    graceMs: config.shutdownGraceMs,
    events: { ignored: events.tracingIgnored, trouble: events.tracingTrouble },
  });
  parts.opened('tracer', tracer.close);
  await open(config, { telemetry: { ...telemetry, tracer }, parts });
  started();
}

async function configure(role: Role, stdout: Outlet): Promise<Config> {
  const { config, faults } = await readConfiguration(process.env, role);
  if (config) return config;
  createLog(role, 'info', stdout).fatal({ faults }, 'the configuration is not usable');
  return process.exit(EXIT_CONFIG);
}

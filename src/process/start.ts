// What every process begins with: its configuration or a clear end, its log, its events, its lifecycle.
import { getCACertificates } from 'node:tls';
import { ConfigError, EXIT_CONFIG, parseConfig, type Config, type Role } from '../config/config.ts';
import { createEvents, type Events } from '../telemetry/events.ts';
import { readGiven } from '../config/variables.ts';
import { createLifecycle, type Lifecycle } from './lifecycle.ts';
import { createLog, switchLevelOnSignal, type Logger } from '../telemetry/log.ts';
import { createMetrics, type Metrics } from '../telemetry/metrics.ts';
import { takeOverOutput, type Outlet } from '../telemetry/output.ts';
import { describeProtections } from '../config/protections.ts';
import { findListenFaults, findOutsideFaults } from './start-checks.ts';
import type { Tracer } from '../telemetry/tracer.ts';
import { openTracer } from '../telemetry/tracing.ts';
import { parseTracing } from '../config/tracing.ts';

export type Process = {
  config: Config;
  log: Logger;
  metrics: Metrics;
  events: Events;
  tracer: Tracer;
  lifecycle: Lifecycle;
};

/** Reads the environment and prepares a process; ends it with 78 where the environment is not usable. */
export async function beginProcess(role: Role): Promise<Process> {
  const { stdout, stderr } = takeOverOutput();
  const config = await configure(role, stdout);
  const log = createLog(role, config.logLevel, stdout);
  switchLevelOnSignal(log, config.logLevel);
  const metrics = createMetrics();
  const events = createEvents(log, metrics);
  for (const outlet of [stdout, stderr]) outlet.report(events.output);
  if (config.ignored.length > 0) events.variablesIgnored(config.ignored);
  events.protections(describeProtections(config, role));
  const lifecycle = createLifecycle(log, { drainMs: config.drainMs, graceMs: config.shutdownGraceMs });
  const tracer = await openTracer(parseTracing(process.env), role, config.shutdownGraceMs, {
    ignored: events.tracingIgnored,
    trouble: events.tracingTrouble,
  });
  lifecycle.opened('tracer', tracer.close);
  return { config, log, metrics, events, tracer, lifecycle };
}

async function configure(role: Role, stdout: Outlet): Promise<Config> {
  const { variables } = readGiven(process.env);
  const { config, faults } = tryParse(role);
  faults.push(...extraCertificateFaults(), ...(await findOutsideFaults(variables, role)));
  if (config && faults.length === 0) return config;
  // Whoever is told of one fault wants to hear of the next one too.
  if (config) {
    const { host, port } = role === 'api' ? config.http : config.worker;
    faults.push(...(await findListenFaults(host, port, role === 'api' ? 'PORT' : 'WORKER_PORT')));
  }
  createLog(role, 'info', stdout).fatal({ faults }, 'the configuration is not usable');
  return process.exit(EXIT_CONFIG);
}

function tryParse(role: Role): { config: Config | null; faults: string[] } {
  try {
    return { config: parseConfig(process.env, role), faults: [] };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { config: null, faults: [...error.faults] };
  }
}

/** Node goes on without certificates it could not read when it started, and every connection fails later: better not to begin. */
function extraCertificateFaults(): string[] {
  const variable = 'NODE_EXTRA_CA_CERTS';
  const asked = process.env[variable];
  if (asked === undefined || asked === '' || getCACertificates('extra').length > 0) return [];
  return [`${variable} names no file with certificates that could be read at the start`];
}

// What every process begins with: its configuration or a clear end, its log, its events, its lifecycle.
import { getCACertificates } from 'node:tls';
import { ConfigError, EXIT_CONFIG, parseConfig, type Config, type Role } from './config.ts';
import { createEvents, type Events } from './events.ts';
import { createLifecycle, type Lifecycle } from './lifecycle.ts';
import { createLog, switchLevelOnSignal, type Logger } from './log.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { takeOverOutput, type Outlet } from './outlet.ts';
import { openTracer, type Tracer } from './tracing.ts';
import { parseTracing } from './tracing-config.ts';

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
  const config = configure(role, stdout);
  const log = createLog(role, config.logLevel, stdout);
  switchLevelOnSignal(log, config.logLevel);
  const metrics = createMetrics();
  const events = createEvents(log, metrics);
  for (const outlet of [stdout, stderr]) outlet.report(events.output);
  const lifecycle = createLifecycle(log, { drainMs: config.drainMs, graceMs: config.shutdownGraceMs });
  const tracer = await openTracer(parseTracing(process.env), role, config.shutdownGraceMs, {
    ignored: events.tracingIgnored,
    trouble: events.tracingTrouble,
  });
  lifecycle.opened('tracer', tracer.close);
  return { config, log, metrics, events, tracer, lifecycle };
}

function configure(role: Role, stdout: Outlet): Config {
  try {
    const config = parseConfig(process.env, role);
    requireExtraCertificates();
    return config;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    createLog(role, 'info', stdout).fatal({ faults: error.faults }, 'the configuration is not usable');
    return process.exit(EXIT_CONFIG);
  }
}

/** Node goes on without certificates it could not read when it started, and every connection fails later: better not to begin. */
function requireExtraCertificates(): void {
  const variable = 'NODE_EXTRA_CA_CERTS';
  const asked = process.env[variable];
  if (asked === undefined || asked === '' || getCACertificates('extra').length > 0) return;
  throw new ConfigError([`${variable} names no file with certificates that could be read at the start`]);
}

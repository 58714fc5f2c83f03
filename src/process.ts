// What every process begins with: its configuration or a clear end, its log, its events, its lifecycle.
import { ConfigError, EXIT_CONFIG, parseConfig, type Config, type Role } from './config.ts';
import { createEvents, type Events } from './events.ts';
import { createLifecycle, type Lifecycle } from './lifecycle.ts';
import { createLog, type Logger } from './log.ts';
import { createMetrics, type Metrics } from './metrics.ts';

export type Process = { config: Config; log: Logger; metrics: Metrics; events: Events; lifecycle: Lifecycle };

/** Reads the environment and prepares a process; ends it with 78 where the environment is not usable. */
export function beginProcess(role: Role): Process {
  const config = configure(role);
  const log = createLog(role, config.logLevel);
  const metrics = createMetrics();
  return {
    config,
    log,
    metrics,
    events: createEvents(log, metrics),
    lifecycle: createLifecycle(log, config.shutdownGraceMs),
  };
}

function configure(role: Role): Config {
  try {
    return parseConfig(process.env, role);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    createLog(role, 'info').fatal({ faults: error.faults }, 'the configuration is not usable');
    return process.exit(EXIT_CONFIG);
  }
}

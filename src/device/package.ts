// What the package offers as `runstate-bridge/device`, for agents written in Node or TypeScript.
export { createReporter } from './reporter.ts';
export type { Reporter, ReporterEvent, ReporterOptions, SendOptions, SendSummary } from './reporter.ts';
export type { DeviceIdentity } from './identity.ts';
export { openSpool } from './spool/spool.ts';
export type { Spool, SpoolOptions } from './spool/spool.ts';
export { InvalidRun } from './reported-run.ts';
export type { ReportedRun } from './reported-run.ts';

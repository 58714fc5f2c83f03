// The result of one vendor BIOS tool run, before the agent turns it into a run result.
import type { RunState } from '../../graph/wire.ts';

/** How a run went, in the fleet's own words; each vendor's tool tells it differently. */
export type Course = 'success' | 'reboot-pending' | 'fail' | 'script-error' | 'not-applicable';

/** What the agent reports of the tool: its exit code, or the state where an exit code would not tell it. */
export type VendorRun = ({ exitCode: number } | { state: RunState }) & { output?: string; error?: string };

/** One machine the fleet consists of. */
export type Machine = { deviceId: string; deviceName: string; model: string; serial: string };

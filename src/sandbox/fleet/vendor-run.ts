// A simulated run of a vendor's BIOS tool: on which machine, how it goes, and what it returns to the agent.
import type { RunState } from '../../graph/wire.ts';

/** How a run goes; each vendor's tool reports it differently. */
export type Course = 'success' | 'reboot-pending' | 'fail' | 'script-error' | 'not-applicable';

/** What the agent learns from the tool: its exit code, or the run state if no exit code expresses it. */
export type VendorRun = ({ exitCode: number } | { state: RunState }) & { output?: string; error?: string };

/** A machine of the fleet. */
export type Machine = { deviceId: string; deviceName: string; model: string; serial: string };

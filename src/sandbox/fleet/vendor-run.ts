// The result of one vendor BIOS tool run, before the agent turns it into a run result.
import type { RunState } from '../../graph/wire.ts';

/** The course of a run; each vendor's tool reports it differently. */
export type Course = 'success' | 'reboot-pending' | 'fail' | 'script-error' | 'not-applicable';

/** What the agent reports for the tool: its exit code, or the state if an exit code cannot express it. */
export type VendorRun = ({ exitCode: number } | { state: RunState }) & { output?: string; error?: string };

/** A machine of the fleet. */
export type Machine = { deviceId: string; deviceName: string; model: string; serial: string };

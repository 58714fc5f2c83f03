// A device run state as a test's Graph keeps it, whichever Graph that is.

/** A member that was never said is null. */
export type GraphRecord = {
  id: string;
  configurationId: string;
  deviceName: string | null;
  osVersion: string | null;
  upn: string | null;
  internalVersion: number;
  lastStateUpdateDateTime: string;
  configurationState: string;
  configurationOutput: string | null;
  configurationError: string | null;
};

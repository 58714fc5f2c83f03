// The events of the device directory; telemetry implements them.
import type { DirectoryHold, DirectoryOutcome } from '../../domain/directory/directory-answer.ts';

export type DirectoryEvents = {
  /** A question was put to the directory. */
  directoryAsked: (outcome: DirectoryOutcome) => void;
  directoryThrottled: (waitMs: number) => void;
  directoryHeld: (hold: DirectoryHold) => void;
  directoryProbeFailed: (hold: DirectoryHold) => void;
  directoryReleased: (hold: DirectoryHold, now: number) => void;
  /** A question failed each time it was put, and was dropped. */
  directoryQuestionDropped: (deviceId: string, detail: string) => void;
  redisTrouble: (error: Error) => void;
  defect: (error: unknown, what: string) => void;
};

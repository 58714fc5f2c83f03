// Microsoft Graph's wire format: the beta resource, its collection and its error envelope.

/** Graph's `runState` enum, by its wire names. */
export type RunState = 'unknown' | 'success' | 'fail' | 'scriptError' | 'pending' | 'notApplicable';

/**
 * The writable members of `microsoft.graph.hardwareConfigurationDeviceState` (beta), as sent by a create.
 * `id`, `userId` and `assignmentFilterIds` are set by the service and never sent.
 */
export type HardwareConfigurationDeviceStateCreate = {
  '@odata.type': '#microsoft.graph.hardwareConfigurationDeviceState';
  deviceName: string;
  internalVersion: number;
  /** DateTimeOffset, passed on as the device wrote it. */
  lastStateUpdateDateTime: string;
  configurationState: RunState;
  osVersion?: string;
  upn?: string | null;
  configurationOutput?: string;
  configurationError?: string;
};

/** The resource in Graph's responses: every member may be missing or null, according to the published types. */
export type HardwareConfigurationDeviceState = {
  id?: string;
  deviceName?: string | null;
  osVersion?: string | null;
  upn?: string | null;
  internalVersion?: number;
  lastStateUpdateDateTime?: string;
  configurationState?: RunState;
  configurationOutput?: string | null;
  configurationError?: string | null;
  assignmentFilterIds?: string | null;
  userId?: string | null;
};

/** A page of an OData collection. */
export type Page<T> = { value: T[]; '@odata.nextLink'?: string };

/** Graph's error envelope; Intune has been seen to spell `innerError` both ways and to nest JSON text in `message`. */
export type GraphError = {
  error: {
    code?: string;
    message?: string;
    innerError?: GraphInnerError;
    innererror?: GraphInnerError;
  };
};

export type GraphInnerError = {
  date?: string;
  'request-id'?: string;
  'client-request-id'?: string;
};

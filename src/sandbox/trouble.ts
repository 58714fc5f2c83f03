// Faults of one configuration: forbidden, failing, or without a create route.
import type { Answer } from './server/answer.ts';
import { graphErrorAnswer } from './graph/graph-error.ts';
import type { Trace } from './graph/graph-error.ts';
import { isWrite } from './faults/operation.ts';
import type { GraphOperation } from './faults/operation.ts';

export const TROUBLES = ['forbidden', 'failing', 'unserved'] as const;
export type Trouble = (typeof TROUBLES)[number];

/** Intune's reported message for documented routes that its services do not serve. */
const unserved =
  'No OData route exists that match template ~/singleton/navigation/key/navigation with http verb POST for request ' +
  '/HardwareConfiguration/StatelessHardwareConfigurationFEService/deviceManagement/hardwareConfigurations.';

/** The response for run states of a configuration in trouble; undefined for the normal one. */
export function answerTrouble(
  trouble: Trouble | undefined,
  operation: GraphOperation,
  trace: Trace,
): Answer | undefined {
  switch (trouble) {
    case undefined:
      return undefined;
    case 'forbidden':
      return graphErrorAnswer({ status: 403, message: 'The app has no access to this configuration.', trace });
    case 'failing':
      return graphErrorAnswer({ status: 500, message: 'An error has occurred.', trace });
    case 'unserved':
      return isWrite(operation)
        ? graphErrorAnswer({ status: 400, message: unserved, trace, code: 'No method match route template' })
        : undefined;
  }
}

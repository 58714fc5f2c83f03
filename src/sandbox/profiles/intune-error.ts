// Intune's error format: JSON inside the message; and its gateway's answer for unknown routes.
import type { Answer } from '../server/answer.ts';
import { shapedErrorAnswer } from '../graph/graph-error.ts';
import type { ProfiledRequest } from './profile.ts';

type IntuneError = { request: ProfiledRequest; status: number; message: string; code?: string | undefined };

export const refused = ({ request: { trace }, status, message, code }: IntuneError): Answer =>
  shapedErrorAnswer({ status, shape: 'intune', message, trace, code });

export function unserved(request: ProfiledRequest): Answer {
  const isByKey = request.operation !== 'create' && request.operation !== 'list';
  const template = `~/singleton/navigation/key/navigation${isByKey ? '/key' : ''}`;
  const message =
    `No OData route exists that match template ${template} with http verb ${request.method} for request ` +
    `/HardwareConfiguration/StatelessHardwareConfigurationFEService${request.url.pathname.replace(/^\/beta/, '')}.`;
  return refused({ request, status: 400, message, code: 'No method match route template' });
}

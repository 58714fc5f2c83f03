// One submission over HTTP: exactly these bytes, signed as the tests' device signs them.
import { sign } from './device.ts';
import { send } from './raw-http.ts';

/** Header fields of the same name replace those of a submission. */
export const submitTo = (port: number, body: Buffer | string, headers: Record<string, string | string[]> = {}) =>
  send({
    port,
    method: 'POST',
    path: '/v1/run-results',
    headers: { 'Content-Type': 'application/json', ...sign({ body }), ...headers },
    body,
  });

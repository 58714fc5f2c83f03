// The control routes of the tenant's devices: join, change, delete, a new key, and certificates of the fleet's authority.
import type { IncomingMessage } from 'node:http';

import { z } from 'zod';

import { jsonAnswer, textAnswer } from '../server/answer.ts';
import type { Answer } from '../server/answer.ts';
import { readBody } from '../server/read-body.ts';
import type { DeviceCredentials } from './device-authority.ts';
import { DirectoryError, TRUST_TYPES } from './directory.ts';
import type { DeviceChanges, Directory, Join } from './directory.ts';

/** The part of a sandbox these routes show and change. */
export type Enrolment = {
  directory: Omit<Directory, 'clear'>;
  fleetAuthority: { pem: string; issue: (deviceId: string) => Promise<DeviceCredentials> };
};

const join = z
  .strictObject({
    deviceId: z.guid(),
    displayName: z.string().min(1).max(256),
    trustType: z.enum(TRUST_TYPES),
    isManaged: z.boolean(),
    issuer: z.enum(['short', 'long']),
  })
  .partial();
const changes = z.strictObject({ accountEnabled: z.boolean(), isManaged: z.boolean() }).partial();
const roll = z.strictObject({ oldKey: z.enum(['kept', 'forgotten']).default('kept') });
const fleetDevice = z.strictObject({ deviceId: z.string().min(1).max(64) });

const devicePath = /^\/devices\/([^/]+)(\/key)?$/;
const mostBodyBytes = 64 * 1024;

/** The answer to a request for one of these routes; undefined if it is for another. */
export async function answerDevices(
  { directory, fleetAuthority }: Enrolment,
  request: IncomingMessage,
  path: string,
): Promise<Answer | undefined> {
  const [, deviceId = '', key] = devicePath.exec(path) ?? [];
  const route = `${request.method ?? 'GET'} ${deviceId === '' ? path : `/devices/ID${key ?? ''}`}`;
  switch (route) {
    case 'GET /devices':
      return jsonAnswer(200, { devices: directory.all() });
    case 'POST /devices':
      return await carryOut(request, join, async (body) => jsonAnswer(201, await directory.join(body as Join)));
    case 'PATCH /devices/ID':
      return await carryOut(request, changes, (body) => {
        directory.change(deviceId, body as DeviceChanges);
        return done;
      });
    case 'POST /devices/ID/key':
      return await carryOut(request, roll, async (body) => jsonAnswer(201, await directory.rollKey(deviceId, body)));
    case 'DELETE /devices/ID':
      return await carryOut(request, z.unknown(), () => {
        directory.delete(deviceId);
        return done;
      });
    case 'GET /fleet-ca.pem':
      return { status: 200, headers: { 'Content-Type': 'application/x-pem-file' }, body: fleetAuthority.pem };
    case 'POST /fleet-certificates':
      return await carryOut(request, fleetDevice, async (body) =>
        jsonAnswer(201, await fleetAuthority.issue(body.deviceId)),
      );
    default:
      return undefined;
  }
}

const done: Answer = { status: 204, headers: {}, body: '' };

async function carryOut<Body>(
  request: IncomingMessage,
  schema: z.ZodType<Body>,
  act: (body: Body) => Answer | Promise<Answer>,
): Promise<Answer> {
  const read = await readBody(request, mostBodyBytes);
  if (read.kind !== 'read') return textAnswer(413, 'More than 64 KB.\n');
  const parsed = schema.safeParse(parseJson(read.text));
  if (!parsed.success) return textAnswer(400, `${z.prettifyError(parsed.error)}\n`);
  try {
    return await act(parsed.data);
  } catch (error) {
    if (error instanceof DirectoryError) return textAnswer(error.status, `${error.message}\n`);
    throw error;
  }
}

/** An empty body is an empty object; what is no JSON is refused by every schema. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text === '' ? '{}' : text);
  } catch {
    return text;
  }
}

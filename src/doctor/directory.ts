// Checks the device directory: a token that may read devices and no more, and a device whose key can be read.
import type { GraphConfig } from '../config/graph.ts';
import type { Failure } from '../domain/attempt/failure.ts';
import { DIRECTORY_REMEDIES } from '../domain/directory/directory-answer.ts';
import { toDirectoryDevice } from '../domain/directory/directory-device.ts';
import type { Answered, Claims, Obtained } from '../graph/inspection/inspect.ts';
import { failed, ok, skipped, warning, type Finding } from './finding.ts';
import { remedyFor } from './token.ts';

/** The one application permission that is needed. */
export const DEVICE_PERMISSION = 'Device.Read.All';
/** With one of these devices can be read as well, and much more can be done. */
const BROADER = ['Device.ReadWrite.All', 'Directory.Read.All', 'Directory.ReadWrite.All'];
const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

type Credential = Pick<GraphConfig, 'credential'>;

/** Whether one app registration asks the directory and creates records, so that its token has the permissions for both. */
export const isSameApp = (one: Credential, other: Credential): boolean =>
  clientIdOf(one)?.toLowerCase() === clientIdOf(other)?.toLowerCase();

const clientIdOf = ({ credential }: Credential): string | null => credential?.clientId ?? null;

const nameApp = (config: Credential): string => {
  const clientId = clientIdOf(config);
  return clientId === null ? 'the managed identity' : `app registration ${clientId}`;
};

/** @param isShared whether the app creates records as well: what else it may do is then judged elsewhere */
export function judgeDirectoryToken(obtained: Obtained, config: Credential, isShared: boolean): Finding[] {
  const check = 'directory-token';
  if (obtained.kind === 'refused')
    return [failed(check, obtained.failure.detail, directoryRemedyFor(obtained.failure))];
  const found = ok(check, `obtained in ${Math.round(obtained.tookMs)} ms, for ${nameApp(config)}`);
  if (obtained.claims === null) return [found, skipped('directory-roles', 'the token cannot be read')];
  return [found, judgeRoles(obtained.claims, nameApp(config), isShared)];
}

function judgeRoles({ roles }: Claims, app: string, isShared: boolean): Finding {
  const check = 'directory-roles';
  const grant = `Grant ${app} the application permission ${DEVICE_PERMISSION} with admin consent`;
  const others = roles.filter((role) => role !== DEVICE_PERMISSION);
  const broader = roles.filter((role) => BROADER.includes(role));
  if (!roles.includes(DEVICE_PERMISSION)) {
    const held = others.length === 0 ? 'no role at all' : others.join(', ');
    const detail = `the token has ${held}, and not ${DEVICE_PERMISSION}`;
    if (broader.length === 0) return failed(check, detail, `${grant}.`);
    return warning(check, `${detail}, which is enough`, `${grant}, and take away ${broader.join(', ')}.`);
  }
  if (isShared) return ok(check, `${DEVICE_PERMISSION}, for ${app} that creates records too`);
  if (others.length === 0) return ok(check, `${DEVICE_PERMISSION} and no other`);
  return warning(
    check,
    `the app that asks about devices may do more than it needs: ${others.join(', ')}`,
    `Take away every application permission of ${app} but ${DEVICE_PERMISSION}.`,
  );
}

/** A device of the list whose key can be read; else why there is none. */
export type Sample = { kind: 'device'; deviceId: string } | { kind: 'none'; finding: Finding };

/** @param listed the answer to a request for a few devices */
export function sampleDevices(listed: Answered): Sample {
  if (listed.failure) return none(failed('directory', listed.failure.detail, directoryRemedyFor(listed.failure)));
  const { value } = (listed.body ?? {}) as { value?: unknown };
  if (!Array.isArray(value)) {
    return none(failed('directory', 'the list of devices cannot be read', DIRECTORY_REMEDIES.unavailable));
  }
  if (value.length === 0) {
    return none(
      warning(
        'directory-device',
        'the directory has no device yet: whether its keys can be read is not known',
        'Join a device to Entra, and run this again.',
      ),
    );
  }
  const deviceId = value.flatMap((device: unknown) => idOfKeyed(device) ?? [])[0];
  return deviceId === undefined
    ? none(withoutKey(`of ${value.length} devices, none has`))
    : { kind: 'device', deviceId };
}

/** Judges the answer to the question that workers ask. */
export function judgeSampledDevice({ failure, body, tookMs }: Answered, deviceId: string): Finding {
  const check = 'directory-device';
  if (failure) return failed(check, `${deviceId}: ${failure.detail}`, directoryRemedyFor(failure));
  const keys = keysOf(body);
  if (idOfKeyed(body) !== deviceId) return withoutKey(`${deviceId}, asked for by its id, does not have`);
  const count = keys === 1 ? 'a key' : `${keys} keys`;
  return ok(check, `${deviceId} was read in ${Math.round(tookMs)} ms, and has ${count}`);
}

const none = (finding: Finding): Sample => ({ kind: 'none', finding });

const withoutKey = (subject: string): Finding =>
  failed(
    'directory-device',
    `${subject} an entry of type 2 in alternativeSecurityIds that names the key of a certificate`,
    'The directory proves no device without it. Look at a device with GET …/v1.0/devices?$select=deviceId,alternativeSecurityIds; only devices that are joined to Entra or registered with it have one.',
  );

function idOfKeyed(device: unknown): string | null {
  const { deviceId } = (device ?? {}) as { deviceId?: unknown };
  if (typeof deviceId !== 'string' || !GUID.test(deviceId.toLowerCase())) return null;
  return keysOf(device) === 0 ? null : deviceId.toLowerCase();
}

const keysOf = (device: unknown): number => toDirectoryDevice(device ?? {}).keys.length;

/** The remedy if the token endpoint or the directory refuses a request. */
function directoryRemedyFor(failure: Failure): string {
  switch (failure.kind) {
    case 'unauthenticated':
    case 'forbidden':
      return DIRECTORY_REMEDIES.refused;
    case 'credential-refused':
      return DIRECTORY_REMEDIES['credential-refused'];
    case 'rejected':
    case 'conflict':
    case 'route-not-served':
      return 'Check GRAPH_BASE_URL and GRAPH_CLOUD: devices are read from the same host, below /v1.0.';
    case 'not-sent':
    case 'uncertain':
    case 'delayed':
    case 'inconclusive':
    case 'throttled':
      return remedyFor(failure);
  }
}

// What each device of the demo's fleet signs with: a key derived for it, a certificate of the fleet's authority, or Entra's.
import { deriveDeviceKey } from '../../domain/submission/device-key.ts';
import type { DeviceCredentials } from '../../device/sign-request.ts';
import type { DeviceCredentials as IssuedCredentials } from '../../sandbox/directory/device-authority.ts';
import type { Fleet, PlannedSubmission } from '../../sandbox/fleet/fleet.ts';
import type { Sandbox } from '../../sandbox/sandbox.ts';

export type CredentialsOf = (
  submission: Pick<PlannedSubmission, 'deviceId' | 'identity' | 'signedWith'>,
) => DeviceCredentials;

/** Enrols every device as a tenant would; strangers get what an attacker could make. */
export async function enrolFleet(
  { submissions }: Pick<Fleet, 'submissions'>,
  { directory, fleetAuthority }: Pick<Sandbox, 'directory' | 'fleetAuthority'>,
  groupKey: Uint8Array,
): Promise<CredentialsOf> {
  const certified = submissions.filter(({ identity }) => identity !== 'derived-key');
  const devices = new Map(certified.map((submission) => [submission.deviceId, submission]));
  const issue = ({ deviceId, identity, signedWith }: PlannedSubmission) => {
    if (signedWith === 'wrong-key') return directory.forge(deviceId);
    return identity === 'entra-certificate' ? directory.join({ deviceId }) : fleetAuthority.issue(deviceId);
  };
  const issued = await Promise.all([...devices.values()].map(issue));
  const certificates = new Map(issued.map((credentials) => [credentials.deviceId, toFiles(credentials)]));

  return ({ deviceId, signedWith }) =>
    certificates.get(deviceId) ?? {
      deviceKey:
        signedWith === 'own-key'
          ? deriveDeviceKey(groupKey, deviceId).toString('base64')
          : Buffer.alloc(32, 'wrong').toString('base64'),
    };
}

const toFiles = ({ certificatePem, privateKeyPem }: IssuedCredentials): DeviceCredentials => ({
  certificate: certificatePem,
  privateKey: privateKeyPem,
});

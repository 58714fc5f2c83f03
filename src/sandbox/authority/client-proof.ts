// How a token request proves the app's identity: by secret, certificate or federated token.
import { X509Certificate, createHash } from 'node:crypto';

import { decodeProtectedHeader, errors, jwtVerify } from 'jose';

export type ClientProofs = {
  secrets: readonly string[];
  certificates: readonly string[];
  federatedTokens: readonly string[];
};

export type ProofCheck = { kind: 'proven' } | { kind: 'refused'; aadsts: number; message: string };

const toleratedSkewS = 300;
const jwtBearer = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** Checks the client's proof in a token request, with Entra's error codes. */
export async function checkClientProof(
  form: URLSearchParams,
  accepted: ClientProofs,
  expected: { clientId: string; audience: string; at: Date },
): Promise<ProofCheck> {
  const assertion = form.get('client_assertion');
  if (assertion !== null) {
    if (form.get('client_assertion_type') !== jwtBearer) return refused(900144, 'client_assertion_type is missing.');
    if (accepted.federatedTokens.includes(assertion)) return { kind: 'proven' };
    return await checkCertificateAssertion(assertion, accepted.certificates, expected);
  }
  const secret = form.get('client_secret');
  if (secret === null) {
    return refused(7000216, "'client_assertion', 'client_secret' or 'request' is required for this grant type.");
  }
  if (accepted.secrets.includes(secret)) return { kind: 'proven' };
  return refused(7000215, 'Invalid client secret provided. Ensure the secret being sent is the client secret value.');
}

async function checkCertificateAssertion(
  assertion: string,
  certificates: readonly string[],
  { clientId, audience, at }: { clientId: string; audience: string; at: Date },
): Promise<ProofCheck> {
  const certificate = findCertificate(assertion, certificates);
  if (certificate === undefined) {
    return refused(700027, 'The certificate used to sign the client assertion is not registered on the application.');
  }
  try {
    await jwtVerify(assertion, certificate.publicKey, {
      algorithms: ['PS256', 'RS256'],
      issuer: clientId,
      subject: clientId,
      audience,
      currentDate: at,
      clockTolerance: toleratedSkewS,
      requiredClaims: ['exp'],
    });
    return { kind: 'proven' };
  } catch (error) {
    if (error instanceof errors.JWTExpired)
      return refused(700024, 'Client assertion is not within its valid time range.');
    if (error instanceof errors.JWTClaimValidationFailed) {
      return refused(700023, `Client assertion is not valid: '${error.claim}' is not as expected.`);
    }
    return refused(700027, "The client assertion's signature failed validation.");
  }
}

function findCertificate(assertion: string, certificates: readonly string[]): X509Certificate | undefined {
  try {
    const thumbprint = decodeProtectedHeader(assertion)['x5t#S256'];
    return certificates
      .map((pem) => new X509Certificate(pem))
      .find(({ raw }) => createHash('sha256').update(raw).digest('base64url') === thumbprint);
  } catch {
    return undefined;
  }
}

function refused(aadsts: number, message: string): ProofCheck {
  return { kind: 'refused', aadsts, message };
}

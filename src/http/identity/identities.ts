// Opens every way to identify a caller that the configuration enables.
import { createVerifyOperator } from './operator-token.ts';
import type { Config } from '../../config/config.ts';
import { createCallers, type Callers, type CallerParts } from './callers.ts';
import type { FetchKeys } from './entra/token.ts';
import { createReloaded, type OnReload } from './watched-files.ts';
import { createVerifySignature } from './signature/signature.ts';
import { createTargetsOf } from './signature/signed-target.ts';
import { createTls, type Tls } from './certificate/tls.ts';
import { createIsTrustedProxy, type IsTrustedProxy } from './certificate/trusted-proxies.ts';

export type Identities = {
  callers: Callers;
  verifyOperator: CallerParts['verifyOperator'];
  /** Null if the listener uses plain HTTP. */
  tls: Tls | null;
  close: () => void;
};

export type IdentityEvents = {
  reloaded: OnReload;
  /** Entra's signing keys could not be fetched. */
  signingKeysTrouble: (error: unknown) => void;
};

type IdentityParts = {
  clock: () => number;
  random: () => number;
  events: IdentityEvents;
  /** Called only if Entra tokens are accepted. */
  openFetchKeys: () => Promise<FetchKeys>;
};

/** @throws CannotStart if a certificate or key cannot be used */
export async function openIdentities(
  { http, identity }: Pick<Config, 'http' | 'identity'>,
  isRevoked: (deviceId: string) => boolean,
  { clock, random, events, openFetchKeys }: IdentityParts,
): Promise<Identities> {
  const isProxy = createIsTrustedProxy(identity.trustedProxies);
  const devices = identity.devices && (await openDevices(identity.devices, { clock, events, isProxy }));
  const tls = identity.tls && createTls(identity.tls, devices?.authorities ?? null, events.reloaded);
  const verifyOperator = http.operatorToken && createVerifyOperator(http.operatorToken.reveal());
  const callers = createCallers({
    verifySignature: createVerifySignature(
      http.groupKeys.map((key) => Buffer.from(key.reveal(), 'base64')),
      clock,
      createTargetsOf(isProxy),
    ),
    verifyOperator,
    verifyCertificate: devices?.verify ?? null,
    verifyToken: identity.entra && (await openTokens(identity.entra, { clock, events, openFetchKeys })),
    isRevoked,
    random,
  });
  return {
    callers,
    verifyOperator,
    tls,
    close: () => {
      tls?.close();
      devices?.authorities.close();
    },
  };
}

async function openTokens(
  entra: NonNullable<Config['identity']['entra']>,
  { clock, events, openFetchKeys }: Pick<IdentityParts, 'clock' | 'events' | 'openFetchKeys'>,
) {
  const { createVerifyToken } = await import('./entra/token.ts');
  return createVerifyToken(entra, { clock, onTrouble: events.signingKeysTrouble, fetchKeys: await openFetchKeys() });
}

/** The certificate library is slow to load, so it is loaded only if devices have certificates. */
async function openDevices(
  { authoritiesFile, rule, header }: NonNullable<Config['identity']['devices']>,
  { clock, events, isProxy }: Pick<IdentityParts, 'clock' | 'events'> & { isProxy: IsTrustedProxy },
) {
  const { parseAuthorities } = await import('./certificate/authorities.ts');
  const { createVerifyCertificate } = await import('./certificate/client-certificate.ts');
  const authorities = createReloaded([authoritiesFile], parseAuthorities, events.reloaded);
  return { authorities, verify: createVerifyCertificate({ authorities, rule, header, isProxy }, clock) };
}

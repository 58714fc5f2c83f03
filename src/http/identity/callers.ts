// Identifies the caller of a request by the first proof it carries.
import type { Request, Response } from 'express';
import pTimeout from 'p-timeout';
import { createAskQueue, type QueueParts } from '../request/ask-queue.ts';
import { contextOf } from '../request/context.ts';
import { jitter, Refused } from '../response/problem.ts';
import type { Caller } from './caller.ts';
import { ROLES } from './entra/roles.ts';
import type { VerifyTenantsToken } from './entra/tokens.ts';
import { readBearer } from './operator-token.ts';
import type { AskDirectory } from './certificate/directory.ts';
import type { VerifyCertificate } from './certificate/client-certificate.ts';
import type { DeviceName, Proof } from './proof.ts';
import type { SignedRequest } from './signature/signature.ts';
import { digestMatches } from './signature/signed-headers.ts';

type Kind = Caller['kind'];
type As<K extends Kind> = Extract<Caller, { kind: K }>;

/** Who may call a route, whether a signature must cover a body, and the hint for an unknown caller. */
export type Question<K extends Kind> = { accept: readonly K[]; hasBody: boolean; hint: string };

type Req = Pick<Request, 'method' | 'originalUrl' | 'headers' | 'headersDistinct' | 'socket'>;

export type Callers = {
  /** Whether operators can identify themselves at all; if not, they have no routes. */
  haveOperators: boolean;
  /** Needs only the head. @throws Refused if the caller is unknown or not accepted here */
  identify: <K extends Kind>(req: Req, res: Response, question: Question<K>) => Promise<As<K>>;
  /** @throws Refused if a device signed a different body */
  requireBody: (res: Response, sent: { caller: Caller; body: Buffer; hint: string }) => void;
};

export type CallerParts = {
  verifySignature: (request: SignedRequest) => Proof;
  /** Null if no operator token, device authorities or Entra audience is configured. */
  verifyOperator: ((authorization: string | undefined) => boolean) | null;
  verifyCertificate: VerifyCertificate | null;
  verifyToken: VerifyTenantsToken | null;
  /** Also of a tenant that is not served. */
  isRevoked: (device: DeviceName) => boolean;
} & QueueParts;

const RETRY_AFTER_S = { minS: 2, jitterS: 28 };
/** The directory's answer is on its way: whole seconds from 1 to 5. */
const DIRECTORY_AGAIN_S = { leastS: 1, mostS: 5 };
/** Should Redis never answer. Longer than the directory itself may take. */
const DIRECTORY_WITHIN_MS = 1800;

/**
 * The first proof in a request decides, in this order: operator token, signature, Entra token, certificate; another one
 * does not make up for an invalid one. Signatures added by proxies are ignored: those whose key id is not a device id and,
 * beside a certificate, those that name another device.
 */
export function createCallers(parts: CallerParts): Callers {
  const { verifySignature, verifyOperator, verifyCertificate, verifyToken, isRevoked, random } = parts;
  const askQueue = createAskQueue(parts, 'nothing is promised; send it again later');

  async function identify(req: Req, res: Response, { accept, hasBody, hint }: Question<Kind>): Promise<Caller> {
    const { authorization } = req.headers;
    if (accept.includes('operator') && verifyOperator?.(authorization) === true)
      return { kind: 'operator', tenantIds: null };
    const bearer = readBearer(authorization);
    const signed =
      accept.includes('device') && isSigned(req)
        ? verifyAny(req, contextOf(res).signedUrls ?? [req.originalUrl], hasBody)
        : UNSIGNED;
    if (verifyToken && bearer !== null && !signed.ok && signed.signedBy === null) {
      return identifyApp(res, await verifyToken(bearer), { accept, hint });
    }
    if (!accept.includes('device')) throw unknown(res, 'no operator’s token', hint);
    const proof = signed.ok ? signed : preferCertificate(signed, verifyCertificate?.(req) ?? null);
    return identifyDevice(res, proof, hint);
  }

  async function identifyDevice(res: Response, proof: Proof, hint: string): Promise<Caller> {
    if (!proof.ok) throw unknown(res, proof.reason, hint);
    const { tenantId, deviceId } = proof;
    if (isRevoked(proof)) throw unknown(res, 'the device is revoked', hint);
    if (proof.askDirectory) {
      await requireConfirmed(res, proof.askDirectory, hint);
      if (isRevoked(proof)) throw unknown(res, 'the device is revoked', hint);
    }
    Object.assign(contextOf(res), { tenantId, deviceId });
    return { kind: 'device', tenantId, deviceId, contentDigest: proof.contentDigest ?? null };
  }

  async function requireConfirmed(res: Response, askDirectory: AskDirectory, hint: string): Promise<void> {
    const verdict = await askQueue(pTimeout(askDirectory(), { milliseconds: DIRECTORY_WITHIN_MS }));
    switch (verdict.kind) {
      case 'good':
        return;
      case 'bad':
        throw unknown(res, verdict.reason, hint);
      case 'unknown': {
        const { leastS, mostS } = DIRECTORY_AGAIN_S;
        contextOf(res).reason = verdict.reason;
        throw new Refused({
          code: 'identity-unavailable',
          detail: 'the directory is being asked about this device; send it again later',
          retryAfterS: leastS + Math.floor(random() * (mostS + 1 - leastS)),
        });
      }
    }
  }

  /** Below a base path a device signs either the full URL path or the route alone; the signature shows which. */
  function verifyAny(req: Req, [first = '', ...others]: readonly string[], hasBody: boolean): Proof {
    const proof = verifySignature({ request: req, url: first, hasBody });
    if (proof.ok) return proof;
    return others.map((url) => verifySignature({ request: req, url, hasBody })).find(({ ok }) => ok) ?? proof;
  }

  function identifyApp(
    res: Response,
    proof: Awaited<ReturnType<VerifyTenantsToken>>,
    { accept, hint }: Pick<Question<Kind>, 'accept' | 'hint'>,
  ): Caller {
    switch (proof.kind) {
      case 'good': {
        const { roles, appId, tenantIds } = proof;
        contextOf(res).appId = appId;
        if (accept.includes('operator') && roles.includes(ROLES.operator)) return { kind: 'operator', tenantIds };
        if (accept.includes('relay') && roles.includes(ROLES.relay)) {
          const [tenantId, ...others] = tenantIds;
          if (tenantId === undefined || others.length > 0)
            throw unknown(res, 'it is not clear whose relay this is', hint);
          contextOf(res).tenantId = tenantId;
          return { kind: 'relay', tenantId, appId };
        }
        throw new Refused({ code: 'role-missing', detail: `the token’s roles do not include ${wanted(accept)}` });
      }
      case 'bad':
        throw unknown(res, proof.reason, hint);
      case 'unknown':
        contextOf(res).reason = proof.reason;
        throw new Refused({
          code: 'identity-unavailable',
          detail: 'tokens cannot be checked at present; send it again later',
          retryAfterS: jitter(RETRY_AFTER_S, random),
        });
    }
  }

  return {
    haveOperators: verifyOperator !== null || verifyToken !== null,
    // Every branch above returns a caller of an accepted kind.
    identify: identify as Callers['identify'],
    requireBody: (res, { caller, body, hint }) => {
      if (caller.kind !== 'device' || caller.contentDigest === null) return;
      if (digestMatches(caller.contentDigest, body)) return;
      // Anyone can replay the head a device signed.
      contextOf(res).deviceId = null;
      throw unknown(res, 'the digest is not the body’s', hint);
    },
  };
}

const UNSIGNED: Proof = { ok: false, reason: 'a signature header is missing', signedBy: null };

/** With an invalid signature, a certificate counts only if the signature is not its own device's. */
function preferCertificate(signed: Exclude<Proof, { ok: true }>, certified: Proof | null): Proof {
  if (certified === null || signed.signedBy === undefined) return signed;
  if (signed.signedBy === null) return certified;
  return certified.ok && !isSameDevice(certified, signed.signedBy) ? certified : signed;
}

const isSameDevice = (one: DeviceName, other: DeviceName): boolean =>
  one.tenantId === other.tenantId && one.deviceId === other.deviceId;

const isSigned = ({ headers }: Req) => headers['signature'] !== undefined || headers['signature-input'] !== undefined;

const wanted = (accept: readonly Kind[]) =>
  [...(accept.includes('relay') ? [ROLES.relay] : []), ...(accept.includes('operator') ? [ROLES.operator] : [])].join(
    ' or ',
  );

/** The response never says why; the log does. */
function unknown(res: Response, reason: string, hint: string): Refused {
  contextOf(res).reason = reason;
  return new Refused({ code: 'unauthenticated', detail: hint });
}

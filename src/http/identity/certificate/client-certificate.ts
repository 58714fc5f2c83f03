// The tenant and device a client certificate proves: that of the connection, or the one a trusted proxy forwards.
import type { IncomingMessage } from 'node:http';
import { TLSSocket, type DetailedPeerCertificate } from 'node:tls';
import type { Proof } from '../proof.ts';
import { isValidAt, NOT_VALID_NOW, type Certified, type CertifiedDevices } from './certified-devices.ts';
import { readForwarded, type Chain } from './forwarded-certificate.ts';
import type { IsTrustedProxy } from './trusted-proxies.ts';

export type CertifiedRequest = Pick<IncomingMessage, 'headersDistinct' | 'socket'>;

/** Null if the request came without a certificate. */
export type VerifyCertificate = (request: CertifiedRequest) => Proof | null;

/** A tenant whose authorities issue certificates to its devices. */
export type CertifyingTenant = { id: string; devices: CertifiedDevices };

type Found = Certified & { tenantId: string };

export type CertificateParts = {
  /** Those whose authorities count at present. */
  tenants: () => readonly CertifyingTenant[];
  header: string;
  isProxy: IsTrustedProxy;
  /** False with a tenants file: a handshake would not tell which tenant's authority verified the certificate. */
  isVerifiedByHandshake: boolean;
};

export function createVerifyCertificate(
  { tenants, header, isProxy, isVerifiedByHandshake }: CertificateParts,
  clock: () => number,
): VerifyCertificate {
  const connected = new WeakMap<TLSSocket, Found | string | null>();
  const chains = new WeakMap<TLSSocket, Chain | 'none'>();

  /** The tenant whose authority proves it; no two may, or a device could be taken for one of another tenant. */
  function find(prove: (devices: CertifiedDevices) => Certified | string): Found | string {
    let found: Found | string = 'no authority is configured';
    for (const { id, devices } of tenants()) {
      const certified = prove(devices);
      if (typeof found !== 'string' && typeof certified !== 'string') return 'authorities of several tenants prove it';
      if (typeof certified !== 'string') found = { ...certified, tenantId: id };
      else if (typeof found === 'string') found = certified;
    }
    return found;
  }

  function look(request: CertifiedRequest): Found | string | null {
    const { socket } = request;
    // A connection from a proxy's address is the proxy's own; its certificate identifies no device.
    if (isProxy(socket.remoteAddress)) {
      const { headersDistinct } = request;
      return headersDistinct[header] ? lookInHeaders(headersDistinct) : null;
    }
    if (!(socket instanceof TLSSocket)) return null;
    if (!isVerifiedByHandshake) return lookAtChain(socket);
    const known = connected.get(socket);
    if (known !== undefined) return known;
    const found = lookAtConnection(socket);
    connected.set(socket, found);
    return found;
  }

  function lookInHeaders(headers: NodeJS.Dict<string[]>): Found | string {
    const chain = readForwarded(header, headers);
    return chain
      ? find((devices) => devices.byAuthority(chain))
      : 'the proxy’s client certificate header cannot be read';
  }

  /** The handshake proved possession of the key and verified the path to an authority. */
  function lookAtConnection(socket: TLSSocket): Found | string | null {
    const certificate = socket.getPeerX509Certificate();
    if (!certificate) return null;
    if (!socket.authorized) return `the client certificate was not verified: ${describe(socket.authorizationError)}`;
    return find((devices) => devices.byHandshake(certificate.raw));
  }

  /** The path is looked up with each request, so that a certificate counts no longer than its tenant's authorities. */
  function lookAtChain(socket: TLSSocket): Found | string | null {
    const chain = chains.get(socket) ?? readChain(socket);
    chains.set(socket, chain);
    return chain === 'none' ? null : find((devices) => devices.byAuthority(chain));
  }

  return (request) => {
    const known = look(request);
    if (known === null) return null;
    if (typeof known === 'string') return { ok: false, reason: known };
    return isValidAt(known, clock())
      ? { ok: true, tenantId: known.tenantId, deviceId: known.deviceId }
      : { ok: false, reason: NOT_VALID_NOW };
  };
}

/** What the client sent. Node leaves the chain out if the handshake verified it. */
function readChain(socket: TLSSocket): Chain | 'none' {
  const others: Buffer[] = [];
  const leaf = socket.getPeerCertificate(true);
  if (!Buffer.isBuffer(leaf.raw)) return 'none';
  // A root is its own issuer; of a chain that ends before, the last has none.
  let above = leaf.issuerCertificate as DetailedPeerCertificate | undefined;
  while (above && !others.some((other) => above?.raw.equals(other))) {
    others.push(above.raw);
    above = above.issuerCertificate;
  }
  return { leaf: leaf.raw, others, isOneList: false };
}

/** Typed as an Error, but a code at run time. */
function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

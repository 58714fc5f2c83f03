// The device a client certificate proves: that of the connection, or the one a trusted proxy forwards.
import { hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import * as x509 from '@peculiar/x509';
import { LRUCache } from 'lru-cache';
import {
  identifyDevice,
  type CertificateNames,
  type DeviceIdRule,
} from '../../../domain/submission/device-certificate.ts';
import { findPath, timeOf, type Authorities, type Path } from './authorities.ts';
import { readForwarded } from './forwarded-certificate.ts';
import type { Reloaded } from '../watched-files.ts';
import type { Proof } from '../signature/signature.ts';
import type { IsTrustedProxy } from './trusted-proxies.ts';

export type CertifiedRequest = Pick<IncomingMessage, 'headersDistinct' | 'socket'>;

/** Null if the request came without a certificate. */
export type VerifyCertificate = (request: CertifiedRequest) => Proof | null;

/** A device, for as long as its certificate is valid. */
type Known = { deviceId: string; from: number; until: number };

const REMEMBERED = 10_000;

export function createVerifyCertificate(
  parts: { authorities: Reloaded<Authorities>; rule: DeviceIdRule; header: string; isProxy: IsTrustedProxy },
  clock: () => number,
): VerifyCertificate {
  const { authorities, rule, header, isProxy } = parts;
  const forwarded = new LRUCache<string, Known>({ max: REMEMBERED });
  const connected = new WeakMap<TLSSocket, Known | string | null>();
  authorities.onChange(() => forwarded.clear());

  function look(request: CertifiedRequest): Known | string | null {
    const { socket } = request;
    // A connection from a proxy's address is the proxy's own; its certificate identifies no device.
    if (isProxy(socket.remoteAddress)) {
      const { headersDistinct } = request;
      return headersDistinct[header] ? lookInHeaders(headersDistinct) : null;
    }
    if (!(socket instanceof TLSSocket)) return null;
    const known = connected.get(socket);
    if (known !== undefined) return known;
    const found = lookAtConnection(socket);
    connected.set(socket, found);
    return found;
  }

  function lookInHeaders(headers: NodeJS.Dict<string[]>): Known | string {
    const chain = readForwarded(header, headers);
    if (!chain) return 'the proxy’s client certificate header cannot be read';
    const { leaf, others, isOneList } = chain;
    const name = `${isOneList} ${hash('sha256', Buffer.concat([leaf, ...others]), 'base64')}`;
    const known = forwarded.get(name);
    if (known) return known;
    const path = findPath(chain, authorities.current());
    const found = typeof path === 'string' ? path : toKnown(path);
    if (typeof found !== 'string') forwarded.set(name, found);
    return found;
  }

  /** The handshake proved possession of the key and verified the path to an authority. */
  function lookAtConnection(socket: TLSSocket): Known | string | null {
    const certificate = socket.getPeerX509Certificate();
    if (!certificate) return null;
    if (!socket.authorized) return `the client certificate was not verified: ${describe(socket.authorizationError)}`;
    const leaf = new x509.X509Certificate(new Uint8Array(certificate.raw));
    return toKnown({ leaf, ...timeOf(leaf) });
  }

  function toKnown({ leaf, from, until }: Path): Known | string {
    const device = identifyDevice(rule, readNames(leaf));
    return device.ok ? { deviceId: device.deviceId, from, until } : device.reason;
  }

  return (request) => {
    const known = look(request);
    if (known === null) return null;
    if (typeof known === 'string') return { ok: false, reason: known };
    const now = clock();
    return now < known.from || now > known.until
      ? { ok: false, reason: 'the certificate or one above it is not valid now' }
      : { ok: true, deviceId: known.deviceId };
  };
}

/** Typed as an Error, but a code at run time. */
function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function readNames(certificate: x509.X509Certificate): CertificateNames {
  const names = certificate
    .getExtensions(x509.SubjectAlternativeNameExtension)
    .flatMap((extension) => extension.names.items);
  const of = (type: string) => names.filter((item) => item.type === type).map(({ value }) => value);
  return {
    commonNames: certificate.subjectName.getField('CN'),
    dnsNames: of('dns'),
    uris: of('url'),
    extensions: (oid) =>
      certificate.extensions.filter(({ type }) => type === oid).map(({ value }) => new Uint8Array(value)),
  };
}

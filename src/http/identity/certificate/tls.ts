// The listener's certificate, and the authorities for client certificates; both are reloaded while it listens.
import { constants } from 'node:crypto';
import type { Server, ServerOptions } from 'node:https';
import type { Socket } from 'node:net';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { createReloaded, type OnReload } from '../watched-files.ts';

/** PEM of the authorities of all tenants. */
export type TrustedAuthorities = {
  current: () => readonly string[];
  onChange: (listener: () => void) => void;
};

export type Tls = {
  /** As they are now. */
  options: () => ServerOptions;
  /** Applies the files to a server, now and whenever they change. */
  attach: (server: Server) => void;
  close: () => void;
};

/** For clients that open a connection and do not finish the handshake. */
const HANDSHAKE_WITHIN_MS = 10_000;
/** How long connections admitted by replaced authorities are still served before they are cut. */
const OLD_CONNECTIONS_END_AFTER_MS = 2000;

/**
 * Reads certificate and key. Client certificates are requested but not required: devices that sign have none.
 * @param authorities those whose client certificates are requested; null to request none
 * @throws CannotStart if they cannot be used
 */
export function createTls(
  files: { certificateFile: string; keyFile: string },
  authorities: TrustedAuthorities | null,
  onReload: OnReload,
): Tls {
  const identity = createReloaded([files.certificateFile, files.keyFile], parseIdentity, onReload);
  const context = (): SecureContextOptions => ({
    ...identity.current(),
    minVersion: 'TLSv1.2',
    // A resumed session would carry a certificate of an authority that has been replaced since.
    secureOptions: constants.SSL_OP_NO_TICKET,
    ...(authorities && { ca: [...authorities.current()], allowPartialTrustChain: true }),
  });
  return {
    options: () => ({
      ...context(),
      requestCert: authorities !== null,
      rejectUnauthorized: false,
      handshakeTimeout: HANDSHAKE_WITHIN_MS,
    }),
    attach: (server) => {
      const endAll = followConnections(server);
      identity.onChange(() => server.setSecureContext(context()));
      authorities?.onChange(() => {
        server.setSecureContext(context());
        endAll();
      });
    },
    close: identity.close,
  };
}

/** @returns a function that ends all connections: idle ones at once, the others soon */
function followConnections(server: Server): () => void {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  return () => {
    const old = [...open];
    server.closeIdleConnections();
    setTimeout(() => {
      for (const socket of old) socket.destroy();
    }, OLD_CONNECTIONS_END_AFTER_MS).unref();
  };
}

function parseIdentity([cert = '', key = '']: readonly string[]): { cert: string; key: string } {
  createSecureContext({ cert, key });
  return { cert, key };
}

// The listener's own certificate, and whose client certificates it asks for; replaced while it listens.
import { constants } from 'node:crypto';
import type { Server, ServerOptions } from 'node:https';
import type { Socket } from 'node:net';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { createReloaded, type Reloaded, type OnReload } from '../watched-files.ts';

export type Tls = {
  options: ServerOptions;
  /** Keeps a server to what the files hold, from now on. */
  attach: (server: Server) => void;
  close: () => void;
};

/** A caller that opens a connection and does not go on. */
const HANDSHAKE_WITHIN_MS = 10_000;
/** What authorities since replaced had vouched for is answered for so long, and cut. */
const OLD_CONNECTIONS_END_AFTER_MS = 2000;

/**
 * Reads certificate and key. A client certificate is asked for, never insisted on: devices that sign have none.
 * @param authorities whose client certificates are asked for, as PEM; null for no one's
 * @throws CannotStart where they cannot be used
 */
export function createTls(
  files: { certificateFile: string; keyFile: string },
  authorities: Reloaded<{ pem: string }> | null,
  tell: OnReload,
): Tls {
  const identity = createReloaded([files.certificateFile, files.keyFile], parseIdentity, tell);
  const context = (): SecureContextOptions => ({
    ...identity.current(),
    minVersion: 'TLSv1.2',
    // A resumed session would carry what an authority since replaced had vouched for.
    secureOptions: constants.SSL_OP_NO_TICKET,
    ...(authorities && { ca: authorities.current().pem, allowPartialTrustChain: true }),
  });
  return {
    options: {
      ...context(),
      requestCert: authorities !== null,
      rejectUnauthorized: false,
      handshakeTimeout: HANDSHAKE_WITHIN_MS,
    },
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

/** @returns ends all connections there are: idle ones at once, the others soon */
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

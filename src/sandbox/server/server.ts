// The HTTPS listener for Graph and the token endpoint, whose connections can be reset.
import { createServer } from 'node:https';
import type { Server } from 'node:https';
import type { Socket } from 'node:net';

import type { TlsMaterial } from './certificates.ts';
import { serve } from './exchange.ts';
import type { World } from '../state.ts';

/** A server that is not listening yet. `closing` ends delayed or slow responses. */
export function createGraphServer(world: World, tls: TlsMaterial, closing: AbortSignal): Server {
  const server = createServer({ cert: tls.certificatePem, key: tls.privateKeyPem });
  const tcpSockets = new Map<string, Socket>();
  server.on('connection', (socket: Socket) => {
    const peer = peerOf(socket);
    tcpSockets.set(peer, socket);
    socket.once('close', () => tcpSockets.delete(peer));
  });
  server.on('secureConnection', () => world.tally.noteConnection());
  server.on('request', (request, response) => {
    const reset = () => {
      tcpSockets.get(peerOf(request.socket))?.resetAndDestroy();
      request.socket.destroy();
    };
    serve(world, { request, response, reset, closing }).catch((defect: unknown) => {
      process.emitWarning(defect instanceof Error ? defect : String(defect), { code: 'SANDBOX_DEFECT' });
      request.socket.destroy();
    });
  });
  return server;
}

function peerOf(socket: Socket): string {
  return `${socket.remoteAddress ?? ''}:${socket.remotePort ?? 0}`;
}

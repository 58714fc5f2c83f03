// An HTTPS_PROXY for tests: opens or refuses tunnels, and records the targets.
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { TlsMaterial } from '../../src/sandbox/server/certificates.ts';

export type Tunnel = (request: IncomingMessage, socket: Socket) => void;

/** Opens the TLS of what passes, as inspecting proxies do, and sends it on to a server on this machine. */
export const inspectTls =
  ({ certificatePem: cert, privateKeyPem: key }: TlsMaterial, port: number): Tunnel =>
  (_request, socket) => {
    socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    const opened = new TLSSocket(socket, { isServer: true, cert, key });
    const upstream = connect(port, '127.0.0.1');
    opened.on('error', () => upstream.destroy());
    upstream.on('error', () => opened.destroy());
    opened.pipe(upstream).pipe(opened);
  };

/** A proxy whose tunnels lead to this machine whatever host is requested; records the requested hosts. */
export async function startTunnelProxy(tunnel?: Tunnel) {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((_, response) => void response.writeHead(405).end());
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  });
  server.on('connect', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    asked.push(`${request.url ?? ''} ${request.headers['proxy-authorization'] ?? '-'}`);
    if (tunnel) {
      tunnel(request, socket);
      return;
    }
    const upstream = connect(Number((request.url ?? '').split(':').at(-1)), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      upstream.write(head);
      upstream.pipe(socket).pipe(upstream);
    });
    upstream.on('error', () => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    [Symbol.asyncDispose]: async () => {
      sockets.forEach((socket) => socket.destroy());
      server.close();
      await once(server, 'close');
    },
  };
}

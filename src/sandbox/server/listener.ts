// A listening server that can be closed at once, without waiting for open connections.
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Starts listening and returns the port, also if 0 asked for any. */
export async function listen(server: Server, port: number, host: string): Promise<number> {
  server.keepAliveTimeout = 120_000;
  server.listen(port, host);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** Stops listening and drops all connections, including hanging ones. */
export async function stopListening(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}

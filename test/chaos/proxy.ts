// A TCP proxy that can stall, lose replies, cut and refuse.
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';

export type Proxy = {
  port: number;
  /** Bytes stop in both directions, or only the replies; connections stay and nothing is lost until they are cut. */
  stall: (what: 'everything' | 'replies') => void;
  resume: () => void;
  /** Resets every connection; what was stalled is lost. */
  cut: () => void;
  /** Resets new connections until it is told otherwise. */
  refuse: (refusing: boolean) => void;
  /** Where new connections lead from now on; those that are open stay where they are. */
  lead: (to: () => Socket) => void;
  close: () => Promise<void>;
};

type Pair = { client: Socket; upstream: Socket; from: string };

type At = {
  host: string;
  /** 0 picks a free one. */
  port: number;
  /** Whether all bytes to and from this address are stalled; asked for new connections, and for all at `resume`. */
  isStalled?: (from: string) => boolean;
};

/** @param connect opens a connection to where bytes are to go */
export async function createProxy(
  connect: () => Socket,
  { host, port, isStalled = () => false }: At = { host: '127.0.0.1', port: 0 },
): Promise<Proxy> {
  const pairs = new Set<Pair>();
  let stalled: 'nothing' | 'replies' | 'everything' = 'nothing';
  let refusing = false;
  let lead = connect;

  const apply = ({ client, upstream, from }: Pair) => {
    const what = isStalled(from) ? 'everything' : stalled;
    if (what === 'everything') client.pause();
    else client.resume();
    if (what === 'nothing') upstream.resume();
    else upstream.pause();
  };

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    client.on('error', () => undefined);
    if (refusing) {
      client.resetAndDestroy();
      return;
    }
    const upstream = lead();
    const pair = { client, upstream, from: client.remoteAddress ?? '' };
    pairs.add(pair);
    const carry = (from: Socket, to: Socket) => {
      from.on('data', (bytes) => {
        if (to.destroyed || to.write(bytes)) return;
        from.pause();
        to.once('drain', () => apply(pair));
      });
      from.on('end', () => to.end());
      from.on('error', () => reset(to));
      from.on('close', () => {
        pairs.delete(pair);
        to.destroySoon();
      });
    };
    carry(client, upstream);
    carry(upstream, client);
    apply(pair);
  });
  server.listen(port, host);
  await once(server, 'listening');

  const set = (what: typeof stalled) => {
    stalled = what;
    pairs.forEach(apply);
  };
  const cut = () => {
    for (const { client, upstream } of pairs) {
      reset(client);
      reset(upstream);
    }
  };
  return {
    port: (server.address() as AddressInfo).port,
    stall: set,
    resume: () => set('nothing'),
    cut,
    refuse: (now) => (refusing = now),
    lead: (to) => (lead = to),
    close: async () => {
      server.close();
      cut();
      if (server.listening) await once(server, 'close');
    },
  };
}

/** A Unix socket knows no reset. */
function reset(socket: Socket): void {
  if (socket.remoteAddress === undefined) socket.destroy();
  else socket.resetAndDestroy();
}

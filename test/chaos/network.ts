// The network of a topology: a proxy before each server, by which a partition keeps hosts apart that all go on running.
import { connect } from 'node:net';
import { createProxy, type Proxy } from './proxy.ts';

export type Network = {
  /** Has what listens on this port of 127.0.0.1 reached at the same port of another address of this machine. */
  open: (address: string, port: number) => Promise<void>;
  /**
   * From now on these hosts reach each other, the others reach each other, and nothing passes in between: it waits, as in a
   * network, until the partition ends. Who comes from 127.0.0.1 reaches all.
   */
  part: (addresses: readonly string[]) => void;
  heal: () => void;
  close: () => Promise<void>;
};

const EVERYWHERE = '127.0.0.1';

export function createNetwork(): Network {
  const proxies: Proxy[] = [];
  let minority = new Set<string>();
  const isCut = (from: string, to: string) => from !== EVERYWHERE && minority.has(from) !== minority.has(to);
  const set = (addresses: readonly string[]) => {
    minority = new Set(addresses);
    for (const proxy of proxies) proxy.resume();
  };
  return {
    open: async (address, port) => {
      const at = { host: address, port, isStalled: (from: string) => isCut(from, address) };
      proxies.push(await createProxy(() => connect(port, EVERYWHERE), at));
    },
    part: set,
    heal: () => set([]),
    close: async () => {
      await Promise.all(proxies.map((proxy) => proxy.close()));
    },
  };
}

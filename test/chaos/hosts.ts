// The addresses of a topology's servers and processes on this machine, and how a process comes from its own.
import type { Party } from './plan.ts';

/** Of the n-th node or sentinel, counted from 1. */
export const nodeAddress = (number: number): string => `127.0.1.${number}`;
export const sentinelAddress = (number: number): string => `127.0.2.${number}`;
const PARTY_ADDRESSES: Record<Party, string> = { api: '127.0.3.1', 'worker-1': '127.0.3.2', 'worker-2': '127.0.3.3' };
export const partyAddress = (party: Party): string => PARTY_ADDRESSES[party];

const SERVERS = String.raw`/^127\.0\.[12]\./`;

/** Environment of a process that connects to servers from this address: no variable of Node's does that. */
export function comingFrom(address: string): Record<string, string> {
  const preload = `
    import { Socket } from 'node:net';
    const { connect } = Socket.prototype;
    Socket.prototype.connect = function (...args) {
      const options = Array.isArray(args[0]) ? args[0][0] : args[0];
      if (${SERVERS}.test(options?.host)) options.localAddress = '${address}';
      return connect.apply(this, args);
    };`;
  return { NODE_OPTIONS: `--import=data:text/javascript;base64,${Buffer.from(preload).toString('base64')}` };
}

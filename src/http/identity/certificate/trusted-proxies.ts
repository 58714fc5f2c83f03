// Whose word about a caller is taken: the addresses of our own proxies.
import { BlockList, isIPv6 } from 'node:net';
import type { Subnet } from '../../../config/identity.ts';

export type IsTrustedProxy = (address: string | undefined) => boolean;

/** An IPv4 address is the same whether or not it is written as IPv6. */
export function createIsTrustedProxy(subnets: readonly Subnet[]): IsTrustedProxy {
  const trusted = new BlockList();
  for (const { address, prefix } of subnets) trusted.addSubnet(address, prefix, isIPv6(address) ? 'ipv6' : 'ipv4');
  return (address) => address !== undefined && trusted.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}

// The trusted proxies: the header fields in which they describe their caller are believed.
import { BlockList, isIPv6 } from 'node:net';
import type { Subnet } from '../../../config/identity.ts';

export type IsTrustedProxy = (address: string | undefined) => boolean;

/** IPv4-mapped IPv6 addresses count as IPv4. */
export function createIsTrustedProxy(subnets: readonly Subnet[]): IsTrustedProxy {
  // BlockList takes microseconds for each check, and every submission is checked more than once.
  if (subnets.length === 0) return () => false;
  const trusted = new BlockList();
  for (const { address, prefix } of subnets) trusted.addSubnet(address, prefix, isIPv6(address) ? 'ipv6' : 'ipv4');
  return (address) => address !== undefined && trusted.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}

// Chooses between a direct connection and HTTPS_PROXY, by NO_PROXY.
import { BlockList, isIP } from 'node:net';
import type { ProxyConfig } from '../config/graph.ts';

/**
 * The proxy for a URL; null if the request goes directly.
 * @param url of the request; only its host and port matter
 */
export function proxyFor(url: string, proxy: ProxyConfig | null): string | null {
  if (proxy === null) return null;
  const { hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  const isExempt = proxy.exempt.some((entry) => matches(entry, host, port === '' ? '443' : port));
  return isExempt ? null : proxy.url.reveal();
}

/** `*`, `host`, `.domain`, `*.domain`, an address or a subnet, each with an optional port. A domain includes its subdomains. */
function matches(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  if (isWithin(entry, host)) return true;
  const [, name = '', onlyPort] = /^\[?(.+?)\]?(?::(\d{1,5}))?$/.exec(entry.toLowerCase()) ?? [];
  if (onlyPort !== undefined && onlyPort !== port) return false;
  const domain = name.replace(/^\*?\./, '').replace(/\.$/, '');
  if (host.endsWith(`.${domain}`)) return true;
  // `*.domain` includes only subdomains.
  return host === domain && !name.startsWith('*.');
}

function isWithin(entry: string, host: string): boolean {
  const family = isIP(host);
  if (family === 0) return false;
  const [address = '', prefix] = entry.replace(/[[\]]/g, '').split('/');
  if (isIP(address) !== family) return false;
  if (prefix === undefined) return address === host;
  const bits = Number(prefix);
  if (!/^\d{1,3}$/.test(prefix) || bits > (family === 4 ? 32 : 128)) return false;
  const subnet = new BlockList();
  const kind = family === 4 ? 'ipv4' : 'ipv6';
  subnet.addSubnet(address, bits, kind);
  return subnet.check(host, kind);
}

// What a client may have asked for: the address as it knew it, which a proxy in between may have changed.
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { IsTrustedProxy } from '../certificate/trusted-proxies.ts';

/** One address, in the parts that a signature may cover; what there is none of is null. */
export type Target = {
  requestTarget: string;
  path: string | null;
  /** With its question mark, which alone stands for no query. */
  query: string;
  scheme: string;
  /** In lower case, without a default port. */
  authority: string | null;
  uri: string | null;
};

export type TargetedRequest = Pick<IncomingMessage, 'headers' | 'headersDistinct'> & {
  socket: Pick<IncomingMessage['socket'], 'remoteAddress'>;
};

/** Most likely first; none is told twice. @param url as it came over the wire: path and query, or an absolute address */
export type TargetsOf = (request: TargetedRequest, url: string) => Target[];

const DEFAULT_PORT = { http: /:(?:80)?$/, https: /:(?:443)?$/ };
type Scheme = keyof typeof DEFAULT_PORT;

const ABSOLUTE = /^(https?):\/\/([^/?#]*)(.*)$/i;
const AUTHORITY = /^[^\s/?#@\\,]+$/;

/** @param isProxy whose word about the scheme and host that its caller saw is taken */
export function createTargetsOf(isProxy: IsTrustedProxy): TargetsOf {
  return (request, url) => {
    const { headers, headersDistinct, socket } = request;
    const [, ownScheme, ownAuthority, rest = url] = ABSOLUTE.exec(url) ?? [];
    const seen = socket instanceof TLSSocket ? 'https' : 'http';
    const forwarded = isProxy(socket.remoteAddress) ? readForwarded(headersDistinct) : null;
    const scheme = forwarded?.scheme ?? toScheme(ownScheme) ?? seen;
    const authorities = new Set(
      [forwarded?.authority, ownAuthority ?? headers.host].filter((one) => one !== undefined),
    );
    const toTargets = (authority?: string) => describe({ url, rest, scheme, authority });
    return authorities.size === 0 ? toTargets() : Array.from(authorities).flatMap(toTargets);
  };
}

/** What the first proxy saw, where there are several. */
function readForwarded(headers: NodeJS.Dict<string[]>): {
  scheme?: Scheme | undefined;
  authority?: string | undefined;
} {
  const [proto, host] = ['x-forwarded-proto', 'x-forwarded-host'].map((name) =>
    headers[name]?.[0]?.split(',')[0]?.trim(),
  );
  return { scheme: toScheme(proto), authority: host !== undefined && AUTHORITY.test(host) ? host : undefined };
}

function toScheme(text: string | undefined): Scheme | undefined {
  const scheme = text?.toLowerCase();
  return scheme === 'http' || scheme === 'https' ? scheme : undefined;
}

type Parts = { url: string; rest: string; scheme: Scheme; authority: string | undefined };

/** An address is signed as a client wrote it, or as most libraries do, which write the authority in its normal form. */
function describe({ url, rest, scheme, authority }: Parts): Target[] {
  const path = pathOf(url);
  const at = rest.indexOf('?');
  const query = at === -1 ? '?' : rest.slice(at);
  const normal = authority === undefined ? null : authority.toLowerCase().replace(DEFAULT_PORT[scheme], '');
  const target = { requestTarget: url, path, query, scheme, authority: normal };
  if (authority === undefined || normal === null) return [{ ...target, uri: null }];
  return Array.from(new Set([normal, authority]), (one) => ({ ...target, uri: `${scheme}://${one}${rest}` }));
}

/** Such a path is as it is, whoever reads it. */
const PLAIN_PATH = /^(?:\/[\w-]+)+$/;

function pathOf(url: string): string | null {
  if (PLAIN_PATH.test(url)) return url;
  return URL.parse(url.startsWith('/') ? `http://device${url}` : url)?.pathname ?? null;
}

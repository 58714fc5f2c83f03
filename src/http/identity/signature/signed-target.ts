// The URLs a client may have requested and signed, if a proxy in between changed them.
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { IsTrustedProxy } from '../certificate/trusted-proxies.ts';

/** A URL in the parts that a signature may cover; null for parts it lacks. */
export type Target = {
  requestTarget: string;
  path: string | null;
  /** With its question mark, which alone stands for an empty query. */
  query: string;
  scheme: string;
  /** In lower case, without the default port. */
  authority: string | null;
  uri: string | null;
};

export type TargetedRequest = Pick<IncomingMessage, 'headers' | 'headersDistinct'> & {
  socket: Pick<IncomingMessage['socket'], 'remoteAddress'>;
};

/** Most likely first, without duplicates. @param url as received: path and query, or an absolute URL */
export type TargetsOf = (request: TargetedRequest, url: string) => Target[];

const DEFAULT_PORT = { http: /:(?:80)?$/, https: /:(?:443)?$/ };
type Scheme = keyof typeof DEFAULT_PORT;

const ABSOLUTE = /^(https?):\/\/([^/?#]*)(.*)$/i;
const AUTHORITY = /^[^\s/?#@\\,]+$/;

/** @param isProxy whether to believe a peer about the scheme, host and port that its caller used */
export function createTargetsOf(isProxy: IsTrustedProxy): TargetsOf {
  return (request, url) => {
    const { headers, socket } = request;
    const [, ownScheme, ownAuthority, rest = url] = ABSOLUTE.exec(url) ?? [];
    const seen = socket instanceof TLSSocket ? 'https' : 'http';
    const own = ownAuthority ?? headers.host;
    // `headersDistinct` only for a proxy: Node parses them on first access.
    const forwarded = isProxy(socket.remoteAddress) ? readForwarded(request.headersDistinct) : null;
    const schemes = forwarded && forwarded.schemes.length > 0 ? forwarded.schemes : [toScheme(ownScheme) ?? seen];
    const authorities = withPort([...(forwarded?.authorities ?? []), own], forwarded?.port);
    const toTargets = (authority?: string) => schemes.flatMap((scheme) => describe({ url, rest, scheme, authority }));
    return authorities.length === 0 ? toTargets() : authorities.flatMap(toTargets);
  };
}

type Forwarded = { schemes: Scheme[]; authorities: (string | undefined)[]; port: string | undefined };

/** What the first proxy saw, if there are several: from Forwarded (RFC 7239) or the older X-Forwarded fields. */
function readForwarded(headers: NodeJS.Dict<string[]>): Forwarded {
  const [proto, host, port] = ['x-forwarded-proto', 'x-forwarded-host', 'x-forwarded-port'].map((name) =>
    headers[name]?.[0]?.split(',')[0]?.trim(),
  );
  const element = readFirstElement(headers['forwarded']?.[0] ?? '');
  return {
    schemes: [...new Set([element.get('proto'), proto].map(toScheme))].filter((one) => one !== undefined),
    authorities: [element.get('host'), host],
    port: port !== undefined && /^\d{1,5}$/.test(port) ? port : undefined,
  };
}

/** `name=value` or `name="quoted"`, separated by semicolons; a comma begins the next proxy's element. */
const PAIR = /[ \t]*(?:([\w-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s",;]*)))?[ \t]*(;|,|$)/y;

/** What cannot be parsed is ignored. */
function readFirstElement(value: string): Map<string, string> {
  const element = new Map<string, string>();
  PAIR.lastIndex = 0;
  for (let separator: string | undefined = ';'; separator === ';';) {
    const [, name, quoted, bare = '', next] = PAIR.exec(value) ?? [];
    if (next === undefined) return new Map();
    if (name !== undefined) element.set(name.toLowerCase(), quoted?.replaceAll(/\\(.)/g, '$1') ?? bare);
    separator = next;
  }
  return element;
}

/** Each authority as it is, and with the proxy's port: many pass on the host without its port, or with their own. */
function withPort(authorities: readonly (string | undefined)[], port: string | undefined): string[] {
  const plain = authorities.filter((one) => one !== undefined && AUTHORITY.test(one)) as string[];
  const ported = port === undefined ? [] : plain.map((one) => `${one.replace(/:\d*$/, '')}:${port}`);
  return [...new Set([...plain, ...ported])];
}

function toScheme(text: string | undefined): Scheme | undefined {
  const scheme = text?.toLowerCase();
  return scheme === 'http' || scheme === 'https' ? scheme : undefined;
}

type Parts = { url: string; rest: string; scheme: Scheme; authority: string | undefined };

/** The URL as the client wrote it, and with the authority normalised, as most libraries do. */
function describe({ url, rest, scheme, authority }: Parts): Target[] {
  const path = pathOf(url);
  const at = rest.indexOf('?');
  const query = at === -1 ? '?' : rest.slice(at);
  const normal = authority === undefined ? null : authority.toLowerCase().replace(DEFAULT_PORT[scheme], '');
  const target = { requestTarget: url, path, query, scheme, authority: normal };
  if (authority === undefined || normal === null) return [{ ...target, uri: null }];
  return Array.from(new Set([normal, authority]), (one) => ({ ...target, uri: `${scheme}://${one}${rest}` }));
}

/** Such a path needs no normalisation. */
const PLAIN_PATH = /^(?:\/[\w-]+)+$/;

function pathOf(url: string): string | null {
  if (PLAIN_PATH.test(url)) return url;
  return URL.parse(url.startsWith('/') ? `http://device${url}` : url)?.pathname ?? null;
}

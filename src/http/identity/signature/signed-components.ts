// Computes the components of a request that a signature covers: RFC 9421, sections 2.1 and 2.2.
import type { IncomingMessage } from 'node:http';
import {
  parseDictionary,
  parseList,
  serializeDictionary,
  serializeInnerList,
  serializeItem,
  serializeList,
} from 'structured-headers';
import type { Target } from './signed-target.ts';

export type Parameters = ReadonlyMap<string, unknown>;

/** A component identifier of a Signature-Input. */
export type Component = { name: unknown; parameters: Parameters };

type Headers = Pick<IncomingMessage, 'headers' | 'headersDistinct'>;

/** The parts of a request that signatures may cover; each is parsed at most once, and only on demand. */
export type Message = {
  method: string | undefined;
  contentDigest: string | undefined;
  headers: () => Headers['headersDistinct'];
  dictionary: (name: string, value: string) => Dictionary | null;
  query: (query: string) => Map<string, string | null>;
};
type Dictionary = ReturnType<typeof parseDictionary>;

export const toMessage = (request: Headers & Pick<IncomingMessage, 'method'>): Message => ({
  method: request.method,
  contentDigest: joined(request.headers, 'content-digest'),
  // Lazy: Node parses them on first access, and most signatures do not need them.
  headers: () => request.headersDistinct,
  dictionary: once((_name, value) => attempt(() => parseDictionary(value))),
  query: once(readQuery),
});

function once<Rest extends unknown[], T>(make: (name: string, ...rest: Rest) => T) {
  let made: Map<string, T> | undefined;
  return (name: string, ...rest: Rest): T => {
    made ??= new Map();
    if (!made.has(name)) made.set(name, make(name, ...rest));
    return made.get(name) as T;
  };
}

/** A field on several lines is a single list, which Node has already joined. */
export function joined(
  headers: Headers['headers'],
  name: 'signature' | 'signature-input' | 'content-digest',
): string | undefined {
  return (headers[name] as string | undefined)?.trim();
}

/** Whether every name is covered in its plain form: with parameters it would be a different component. */
export function covers(components: readonly Component[], names: readonly string[]): boolean {
  return names.every((name) => components.some((one) => one.name === name && one.parameters.size === 0));
}

type Signed = {
  components: readonly Component[];
  /** The value of `@signature-params`, as signed. */
  parameters: string;
  message: Message;
  target: Target;
};

/** @returns the signature base; null if a component cannot be computed: it is missing, ambiguous or unknown */
export function toSignatureBase({ components, parameters, message, target }: Signed): string | null {
  const seen = new Set<string>();
  let base = '';
  for (const { name, parameters: own } of components) {
    if (typeof name !== 'string') return null;
    const value = valueOf(name, own, message, target);
    if (value === null) return null;
    const identifier = own.size === 0 ? `"${name}"` : serializeItem([name, own] as never);
    const identity = own.size < 2 ? identifier : `${name}\n${[...own].map(String).sort().join('\n')}`;
    if (seen.has(identity)) return null;
    seen.add(identity);
    base += `${identifier}: ${value}\n`;
  }
  return `${base}"@signature-params": ${parameters}`;
}

function valueOf(name: string, parameters: Parameters, message: Message, target: Target): string | null {
  if (!name.startsWith('@')) return valueOfField(name, parameters, message);
  if (name === '@query-param') return valueOfQueryParameter(parameters, message.query(target.query));
  if (parameters.size > 0) return null;
  switch (name) {
    case '@method':
      return message.method ?? null;
    case '@path':
      return target.path;
    case '@query':
      return target.query;
    case '@request-target':
      return target.requestTarget;
    case '@scheme':
      return target.scheme;
    case '@authority':
      return target.authority;
    case '@target-uri':
      return target.uri;
    default:
      return null;
  }
}

const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;

function valueOfField(name: string, parameters: Parameters, message: Message): string | null {
  if (name === 'content-digest' && parameters.size === 0) return message.contentDigest ?? null;
  const headers = message.headers();
  const lines =
    FIELD_NAME.test(name) && Object.hasOwn(headers, name) ? headers[name]?.map((line) => line.trim()) : null;
  if (!lines) return null;
  const value = lines.join(', ');
  if (parameters.size === 0) return value;
  const { sf, bs, key, ...unknown } = Object.fromEntries(parameters);
  if (Object.keys(unknown).length > 0 || ![sf, bs].every((flag) => flag === undefined || flag === true)) return null;
  if (bs === true) return sf === undefined && key === undefined ? toByteSequences(lines) : null;
  const dictionary = () => message.dictionary(name, value);
  if (key === undefined) return serializeStrictly(value, dictionary);
  return typeof key === 'string' ? memberOf(dictionary(), key) : null;
}

const toByteSequences = (lines: readonly string[]) =>
  lines.map((line) => `:${Buffer.from(line, 'latin1').toString('base64')}:`).join(', ');

/** The type of a field is not known. An item is a list of one; hardly any text is both a list and a different dictionary. */
function serializeStrictly(value: string, dictionary: () => Dictionary | null): string | null {
  const list = attempt(() => serializeList(parseList(value)));
  if (list !== null) return list;
  const members = dictionary();
  return members && serializeDictionary(members);
}

function memberOf(dictionary: Dictionary | null, key: string): string | null {
  const member = dictionary?.get(key);
  if (!member) return null;
  return Array.isArray(member[0]) ? serializeInnerList(member as never) : serializeItem(member as never);
}

function attempt<T>(make: () => T): T | null {
  try {
    return make();
  } catch {
    return null;
  }
}

function valueOfQueryParameter(parameters: Parameters, values: Map<string, string | null>): string | null {
  const name = parameters.get('name');
  return parameters.size === 1 && typeof name === 'string' ? (values.get(name) ?? null) : null;
}

/** Query parameters by name, encoded as RFC 9421 requires; null for repeated ones. */
function readQuery(query: string): Map<string, string | null> {
  const values = new Map<string, string | null>();
  for (const [name, value] of new URLSearchParams(query)) {
    const encoded = encode(name);
    values.set(encoded, values.has(encoded) ? null : encode(value));
  }
  return values;
}

const encode = (text: string) =>
  encodeURIComponent(text.toWellFormed()).replace(
    /[!'()~]/g,
    (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`,
  );

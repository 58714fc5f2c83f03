// An OTLP/HTTP collector for spans; decodes the protobuf itself, from the field numbers in OpenTelemetry's trace.proto.
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';

export type CollectedSpan = {
  service: string;
  resource: Record<string, unknown>;
  traceId: string;
  spanId: string;
  parentSpanId: string;
  name: string;
  kind: 'internal' | 'server' | 'client' | 'producer' | 'consumer';
  startMs: number;
  endMs: number;
  attributes: Record<string, unknown>;
  links: { traceId: string; spanId: string }[];
  isError: boolean;
};

export type Collector = {
  url: string;
  spans: CollectedSpan[];
  /** The raw requests. */
  requests: { path: string; headers: IncomingHttpHeaders; body: Buffer }[];
  close: () => Promise<void>;
};

/** @param behaviour `hangs`: accepts spans but never responds */
export async function startCollector(behaviour: 'answers' | 'hangs' = 'answers'): Promise<Collector> {
  const spans: CollectedSpan[] = [];
  const requests: Collector['requests'] = [];
  const server = createServer((request, response) => {
    void buffer(request).then((sent) => {
      const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent;
      requests.push({ path: request.url ?? '', headers: request.headers, body });
      spans.push(...readSpans(body));
      if (behaviour === 'answers') response.writeHead(200, { 'Content-Type': 'application/x-protobuf' }).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    requests,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** A message's fields by number: varints and fixed64 as bigint, anything else as bytes. */
type Fields = Map<number, (bigint | Buffer)[]>;

function readFields(message: Buffer): Fields {
  const fields: Fields = new Map();
  let at = 0;
  const varint = () => {
    for (let value = 0n, shift = 0n; ; shift += 7n) {
      const byte = message.readUInt8(at++);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const take = (bytes: number) => message.subarray(at, (at += bytes));
  while (at < message.length) {
    const tag = Number(varint());
    const wire = tag & 7;
    const value =
      wire === 0 ? varint() : wire === 1 ? take(8).readBigUInt64LE() : wire === 5 ? take(4) : take(Number(varint()));
    fields.set(tag >> 3, [...(fields.get(tag >> 3) ?? []), value]);
  }
  return fields;
}

const messages = (fields: Fields, number: number) =>
  (fields.get(number) ?? []).map((bytes) => readFields(bytes as Buffer));
const bytes = (fields: Fields, number: number) => (fields.get(number)?.[0] ?? Buffer.alloc(0)) as Buffer;
const integer = (fields: Fields, number: number) => (fields.get(number)?.[0] ?? 0n) as bigint;

const NONE: Fields = new Map();
const KINDS = ['internal', 'internal', 'server', 'client', 'producer', 'consumer'] as const;
const ERROR = 2n;
const toMs = (nanoseconds: bigint) => Number(nanoseconds) / 1e6;

function readSpans(request: Buffer): CollectedSpan[] {
  return messages(readFields(request), 1).flatMap((resourceSpans) => {
    const resource = Object.assign({}, ...messages(resourceSpans, 1).map((one) => readAttributes(one, 1))) as object;
    const spans = messages(resourceSpans, 2).flatMap((scopeSpans) => messages(scopeSpans, 2));
    return spans.map((span) => toSpan(span, resource as Record<string, unknown>));
  });
}

function toSpan(span: Fields, resource: Record<string, unknown>): CollectedSpan {
  return {
    service: String(resource['service.name']),
    resource,
    traceId: bytes(span, 1).toString('hex'),
    spanId: bytes(span, 2).toString('hex'),
    parentSpanId: bytes(span, 4).toString('hex'),
    name: bytes(span, 5).toString(),
    kind: KINDS[Number(integer(span, 6))] ?? 'internal',
    startMs: toMs(integer(span, 7)),
    endMs: toMs(integer(span, 8)),
    attributes: readAttributes(span, 9),
    links: messages(span, 13).map((link) => ({
      traceId: bytes(link, 1).toString('hex'),
      spanId: bytes(link, 2).toString('hex'),
    })),
    isError: messages(span, 15).some((status) => integer(status, 3) === ERROR),
  };
}

function readAttributes(fields: Fields, number: number): Record<string, unknown> {
  return Object.fromEntries(
    messages(fields, number).map((pair) => [bytes(pair, 1).toString(), readValue(messages(pair, 2)[0] ?? NONE)]),
  );
}

function readValue(value: Fields): unknown {
  if (value.has(1)) return bytes(value, 1).toString();
  if (value.has(2)) return integer(value, 2) === 1n;
  if (value.has(3)) return Number(BigInt.asIntN(64, integer(value, 3)));
  return messages(value, 5).flatMap((list) => messages(list, 1).map(readValue));
}

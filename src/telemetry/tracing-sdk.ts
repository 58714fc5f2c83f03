// The OpenTelemetry tracer: exports spans in batches to an OTLP collector; a missing collector is only logged.
import { AsyncLocalStorage } from 'node:async_hooks';
import type { IncomingHttpHeaders } from 'node:http';
import {
  defaultTextMapGetter,
  defaultTextMapSetter,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Link,
  type Span,
} from '@opentelemetry/api';
import { setGlobalErrorHandler, W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import {
  defaultResource,
  detectResources,
  resourceAttributesEnvDetector,
  resourceFromAttributes,
  serviceNameEnvDetector,
} from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import pTimeout from 'p-timeout';
import { isFailure } from '../domain/attempt/conclusion.ts';
import type { Delivery } from '../domain/delivery.ts';
import type { RequestSummary } from '../http/request/context.ts';
import type { Sampling, TracingConfig } from '../config/tracing.ts';
import type { Tracer } from './tracer.ts';

/** Most a shutdown waits for the collector. */
const FLUSH_WITHIN_MS = 2000;

const METHODS = { create: 'POST', list: 'GET', device: 'GET', token: 'POST' } as const;
const propagator = new W3CTraceContextPropagator();

export function createSdkTracer(
  { sampling, ...batch }: TracingConfig,
  { process, graceMs, onTrouble }: { process: string; graceMs: number; onTrouble: (error: unknown) => void },
): Tracer {
  setGlobalErrorHandler(onTrouble);
  const provider = new TracerProvider({
    resource: defaultResource()
      .merge(resourceFromAttributes({ 'service.name': `runstate-bridge-${process}` }))
      .merge(detectResources({ detectors: [resourceAttributesEnvDetector, serviceNameEnvDetector] })),
    sampler: toSampler(sampling),
    spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter(), ...batch })],
  });
  const tracer = provider.getTracer('runstate-bridge');
  /** The current attempt, found by the requests it sends. */
  const active = new AsyncLocalStorage<Context>();

  return {
    startTrace: (headers, method, route) => {
      const attributes = { 'http.request.method': method, 'http.route': route };
      const span = tracer.startSpan(`${method} ${route}`, { kind: SpanKind.SERVER, attributes }, readCaller(headers));
      const { traceId } = span.spanContext();
      return { id: traceId, parent: toTraceparent(span), end: (summary) => endSubmission(span, summary) };
    },
    attempt: async (delivery, attempt) => {
      const { parent, links } = readSubmission(delivery);
      const attributes = toAttributes(delivery);
      const span = tracer.startSpan('deliver', { kind: SpanKind.CONSUMER, attributes, links }, parent);
      try {
        const outcome = await active.run(trace.setSpan(parent, span), attempt);
        span.setAttribute('runstate.outcome', outcome.kind);
        if (isFailure(outcome)) fail(span, outcome.kind);
        return outcome;
      } finally {
        span.end();
      }
    },
    request: ({ operation, status, durationMs, ids }) => {
      const endedAt = Date.now();
      const attributes: Attributes = {
        'http.request.method': METHODS[operation],
        'runstate.operation': operation,
        ...(ids && { 'http.request.header.client-request-id': [ids.client] }),
        ...(ids?.graph != null && { 'http.response.header.request-id': [ids.graph] }),
        ...(status !== null && { 'http.response.status_code': status }),
      };
      const span = tracer.startSpan(
        `${METHODS[operation]} ${operation}`,
        { kind: SpanKind.CLIENT, attributes, startTime: endedAt - durationMs },
        active.getStore() ?? ROOT_CONTEXT,
      );
      if (status === null || status >= 400) fail(span, String(status ?? 'no-answer'));
      span.end(endedAt);
    },
    close: async () => {
      await pTimeout(provider.shutdown(), { milliseconds: Math.min(FLUSH_WITHIN_MS, graceMs / 4) }).catch(onTrouble);
    },
  };
}

function toSampler({ root, followsParent }: Sampling) {
  const sampler =
    root === 'always'
      ? new AlwaysOnSampler()
      : root === 'never'
        ? new AlwaysOffSampler()
        : new TraceIdRatioBasedSampler(root.ratio);
  return followsParent ? new ParentBasedSampler({ root: sampler }) : sampler;
}

const readCaller = (headers: IncomingHttpHeaders) => propagator.extract(ROOT_CONTEXT, headers, defaultTextMapGetter);

function toTraceparent(span: Span): string {
  const carrier: { traceparent?: string } = {};
  propagator.inject(trace.setSpan(ROOT_CONTEXT, span), carrier, defaultTextMapSetter);
  return carrier.traceparent ?? '';
}

/**
 * An attempt may run hours after the submission and in another process, so the trace context is stored in the delivery's
 * record. Each attempt is a child of the submission, so that all of it is one trace, and links to it as OpenTelemetry's
 * messaging conventions ask of a consumer.
 */
function readSubmission({ traceparent }: Delivery): { parent: Context; links: Link[] } {
  const parent = traceparent === null ? ROOT_CONTEXT : readCaller({ traceparent });
  const context = trace.getSpanContext(parent);
  return { parent, links: context ? [{ context }] : [] };
}

/** Only ids and outcomes: no device output and no user. */
function toAttributes({ id, tenantId, hardwareConfigurationId, attemptsMade, intent }: Delivery): Attributes {
  return {
    'messaging.system': 'bullmq',
    'messaging.operation.type': 'process',
    'messaging.operation.name': 'deliver',
    'messaging.destination.name': 'deliveries',
    'messaging.message.id': id,
    'runstate.delivery_id': id,
    'runstate.tenant_id': tenantId,
    'runstate.hardware_configuration_id': hardwareConfigurationId,
    'runstate.attempt': attemptsMade + 1,
    'runstate.sends': intent?.sends ?? 'create',
  };
}

function endSubmission(span: Span, { requestId, status, refusal, duplicate, deliveryId }: RequestSummary): void {
  span.setAttributes({
    'http.response.status_code': status,
    'runstate.request_id': requestId,
    'runstate.code': refusal?.code ?? (duplicate ? 'duplicate' : 'accepted'),
    ...(deliveryId !== null && { 'runstate.delivery_id': deliveryId }),
  });
  if (status >= 500) fail(span, String(status));
  span.end();
}

function fail(span: Span, type: string): void {
  span.setAttribute('error.type', type);
  span.setStatus({ code: SpanStatusCode.ERROR });
}

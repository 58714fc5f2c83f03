// OpenTelemetry's variables → what to trace and under which name. Wrong values are reported and ignored.

export type Sampling = { root: 'always' | 'never' | { ratio: number }; followsParent: boolean };

export type TracingConfig = {
  sampling: Sampling;
  maxQueueSize: number;
  maxExportBatchSize: number;
  scheduledDelayMillis: number;
  exportTimeoutMillis: number;
};

/** The requested tracing; `config` is null if tracing is off. */
export type AskedTracing = { config: TracingConfig | null; ignored: string[] };

type Env = Readonly<Record<string, string | undefined>>;

const ENDPOINTS = ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'OTEL_EXPORTER_OTLP_ENDPOINT'];
const PROTOCOLS = ['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'OTEL_EXPORTER_OTLP_PROTOCOL'];
const PROTOCOL = 'http/protobuf';

const SAMPLERS: Record<string, (ratio: number) => Sampling> = {
  always_on: () => ({ root: 'always', followsParent: false }),
  always_off: () => ({ root: 'never', followsParent: false }),
  traceidratio: (ratio) => ({ root: { ratio }, followsParent: false }),
  parentbased_always_on: () => ({ root: 'always', followsParent: true }),
  parentbased_always_off: () => ({ root: 'never', followsParent: true }),
  parentbased_traceidratio: (ratio) => ({ root: { ratio }, followsParent: true }),
};

/**
 * Parses the variables that control tracing. It is off unless an endpoint or the exporter `otlp` is given. The SDK itself
 * reads where to send spans (OTEL_EXPORTER_OTLP_*) and under which name (OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES).
 */
export function parseTracing(env: Env): AskedTracing {
  const ignored: string[] = [];
  const given = (name: string) => env[name]?.trim() ?? '';
  const number = (name: string, fallback: number, most = Number.MAX_SAFE_INTEGER, isGood = Number.isInteger) => {
    const text = given(name);
    if (text === '') return fallback;
    const value = Number(text);
    if (isGood(value) && value >= 0 && value <= most) return value;
    ignored.push(`${name} is no number it can have`);
    return fallback;
  };

  const exporter = given('OTEL_TRACES_EXPORTER').toLowerCase();
  const hasEndpoint = ENDPOINTS.some((name) => given(name) !== '');
  if (given('OTEL_SDK_DISABLED').toLowerCase() === 'true' || exporter === 'none') return { config: null, ignored };
  if (exporter === '' && !hasEndpoint) return { config: null, ignored };
  if (exporter !== '' && exporter !== 'otlp') {
    return { config: null, ignored: ['OTEL_TRACES_EXPORTER is neither otlp nor none: nothing is traced'] };
  }

  for (const name of PROTOCOLS) {
    if (given(name) !== '' && given(name) !== PROTOCOL) ignored.push(`${name} is not ${PROTOCOL}, which is spoken`);
  }
  const sampler = given('OTEL_TRACES_SAMPLER').toLowerCase() || 'parentbased_always_on';
  const ratio = sampler.endsWith('ratio') ? number('OTEL_TRACES_SAMPLER_ARG', 1, 1, Number.isFinite) : 1;
  const sampling = SAMPLERS[sampler]?.(ratio);
  if (!sampling) ignored.push('OTEL_TRACES_SAMPLER is none that is known');
  const maxQueueSize = number('OTEL_BSP_MAX_QUEUE_SIZE', 2048) || 2048;
  const config: TracingConfig = {
    sampling: sampling ?? { root: 'always', followsParent: true },
    maxQueueSize,
    maxExportBatchSize: Math.min(maxQueueSize, number('OTEL_BSP_MAX_EXPORT_BATCH_SIZE', 512) || 512),
    scheduledDelayMillis: number('OTEL_BSP_SCHEDULE_DELAY', 5000),
    exportTimeoutMillis: number('OTEL_BSP_EXPORT_TIMEOUT', 30_000),
  };
  return { config, ignored };
}

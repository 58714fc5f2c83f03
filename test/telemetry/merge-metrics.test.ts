// What several processes say in one scrape: counters add up, what is the same in all stays as it is.
import { expect, test } from 'vitest';
import { mergeCounters, mergeMetrics } from '../../src/telemetry/merge-metrics.ts';

const ONE = `# HELP runstate_submissions_total Submissions by what the device was told.
# TYPE runstate_submissions_total counter
runstate_submissions_total{outcome="accepted",code=""} 3
runstate_submissions_total{outcome="refused",code="a b"} 1
# HELP runstate_http_request_seconds Duration.
# TYPE runstate_http_request_seconds histogram
runstate_http_request_seconds_bucket{le="0.1"} 2
runstate_http_request_seconds_bucket{le="+Inf"} 3
runstate_http_request_seconds_sum 0.5
runstate_http_request_seconds_count 3
# HELP process_resident_memory_bytes Resident memory.
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 100
# HELP nodejs_eventloop_lag_p99_seconds Lag.
# TYPE nodejs_eventloop_lag_p99_seconds gauge
nodejs_eventloop_lag_p99_seconds 0.01
# HELP process_start_time_seconds Start time.
# TYPE process_start_time_seconds gauge
process_start_time_seconds 50
# HELP nodejs_version_info Node.
# TYPE nodejs_version_info gauge
nodejs_version_info{version="v24"} 1
# HELP runstate_redis_up Whether Redis answered.
# TYPE runstate_redis_up gauge
runstate_redis_up 1
# HELP runstate_deliveries Deliveries.
# TYPE runstate_deliveries gauge
runstate_deliveries{status="queued"} 7
`;

test('one alone · is what it said · line by line', () => {
  expect(mergeMetrics([ONE])).toBe(ONE);
});

test('what the process that was asked does not know at present · is not taken from another one, which read it earlier', () => {
  const unknown = ONE.replace('runstate_redis_up 1\n', '').replace(/# HELP runstate_deliveries[^]*/, '');
  expect(mergeMetrics([unknown, ONE])).not.toMatch(/^runstate_(redis_up|deliveries)[ {]/m);
});

test('two · counters and memory add up, the longest lag counts · what Redis says stays', () => {
  const other = ONE.replace(/# HELP runstate_deliveries[^]*/, '')
    .replace('accepted",code=""} 3', 'accepted",code=""} 4')
    .replace('lag_p99_seconds 0.01', 'lag_p99_seconds 0.3')
    .replace('start_time_seconds 50', 'start_time_seconds 40')
    .replace('redis_up 1', 'redis_up 0')
    .replace('outcome="refused",code="a b"} 1', 'outcome="duplicate",code=""} 5');
  const merged = mergeMetrics([ONE, other]);
  expect(merged.split('\n').filter((line) => line !== '' && !line.startsWith('#'))).toEqual([
    'runstate_submissions_total{outcome="accepted",code=""} 7',
    'runstate_submissions_total{outcome="refused",code="a b"} 1',
    'runstate_submissions_total{outcome="duplicate",code=""} 5',
    'runstate_http_request_seconds_bucket{le="0.1"} 4',
    'runstate_http_request_seconds_bucket{le="+Inf"} 6',
    'runstate_http_request_seconds_sum 1',
    'runstate_http_request_seconds_count 6',
    'process_resident_memory_bytes 200',
    'nodejs_eventloop_lag_p99_seconds 0.3',
    'process_start_time_seconds 40',
    'nodejs_version_info{version="v24"} 1',
    'runstate_redis_up 1',
    'runstate_deliveries{status="queued"} 7',
  ]);
  expect(merged.match(/^# TYPE/gm)).toHaveLength(8);
});

test('processes that ended · keep counters and histograms · and no gauge', () => {
  const kept = mergeCounters([mergeCounters(['', ONE]), ONE]);
  expect(kept.split('\n').filter((line) => line !== '' && !line.startsWith('#'))).toEqual([
    'runstate_submissions_total{outcome="accepted",code=""} 6',
    'runstate_submissions_total{outcome="refused",code="a b"} 2',
    'runstate_http_request_seconds_bucket{le="0.1"} 4',
    'runstate_http_request_seconds_bucket{le="+Inf"} 6',
    'runstate_http_request_seconds_sum 1',
    'runstate_http_request_seconds_count 6',
  ]);
});

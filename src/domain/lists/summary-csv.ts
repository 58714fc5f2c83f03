// The columns of summaries in CSV, percentiles in seconds.
import { RUN_STATES } from '../submission/run-result.ts';
import { toDate } from '../summaries/day.ts';
import { toPercentiles } from '../summaries/latency.ts';
import { acceptedOf, ENDS, openOf, type Summary } from '../summaries/summary.ts';
import { createCsv } from './csv.ts';

export const SUMMARY_CSV = createCsv<Summary>({
  tenant: ({ tenantId }) => tenantId,
  day: ({ day }) => toDate(day),
  hardwareConfigurationId: ({ hardwareConfigurationId }) => hardwareConfigurationId,
  accepted: acceptedOf,
  ...Object.fromEntries(RUN_STATES.map((state) => [state, ({ states }: Summary) => states[state]])),
  ...Object.fromEntries(ENDS.map((end) => [end, ({ ends }: Summary) => ends[end]])),
  open: openOf,
  p50Seconds: ({ latency }) => toPercentiles(latency).p50,
  p90Seconds: ({ latency }) => toPercentiles(latency).p90,
  p99Seconds: ({ latency }) => toPercentiles(latency).p99,
});

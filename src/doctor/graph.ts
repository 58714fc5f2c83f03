// Checks Graph: reachable, clock in step, hardware configuration present, records can be created.
import { describeGraphFacts, type GraphFacts, type Learned } from '../domain/operations/graph-facts.ts';
import type { Answered } from '../graph/inspection/inspect.ts';
import type { Probed } from '../graph/inspection/write-probe.ts';
import { failed, ok, skipped, warning, type Finding } from './finding.ts';
import { toSkew } from './redis.ts';
import { remedyFor } from './token.ts';

const CLOCK_WARNING_MS = 5000;
/** Devices whose clocks are right are refused from here on. */
const CLOCK_FAILED_MS = 300_000;

export function judgeGraph(answered: Answered, baseUrl: string): Finding[] {
  const { failure, tookMs } = answered;
  const reached = failure
    ? failed('graph', failure.detail, remedyFor(failure))
    : ok('graph', `${baseUrl} answers in ${Math.round(tookMs)} ms, and lets this app read hardware configurations`);
  return [reached, judgeClock(answered)];
}

function judgeClock({ clockAheadMs }: Answered): Finding {
  const check = 'graph-clock';
  if (clockAheadMs === null) return skipped(check, 'no answer from Graph gave its time');
  const detail = `Graph’s clock is ${Math.abs(clockAheadMs) < 1000 ? 'level with' : toSkew(clockAheadMs)} the one here`;
  const remedy = 'Have this machine keep its clock by NTP; devices may be off by 300 s at most.';
  if (Math.abs(clockAheadMs) >= CLOCK_FAILED_MS) return failed(check, detail, remedy);
  return Math.abs(clockAheadMs) >= CLOCK_WARNING_MS ? warning(check, detail, remedy) : ok(check, detail);
}

export function judgeConfiguration({ failure, status, body }: Answered, id: string): Finding {
  const check = 'graph-configuration';
  if (status === 404) {
    return failed(
      check,
      `${id} does not exist in this tenant`,
      'Take the id from Intune, or from GET …/deviceManagement/hardwareConfigurations.',
    );
  }
  if (failure) return failed(check, failure.detail, remedyFor(failure));
  const { displayName } = (body ?? {}) as { displayName?: unknown };
  return ok(check, `${id} exists${typeof displayName === 'string' ? `: ${displayName}` : ''}`);
}

export function judgeProbe(probed: Probed, deviceName: string, configurationId: string): Finding {
  const check = 'write-probe';
  switch (probed.kind) {
    case 'clean':
      return ok(check, `this tenant takes records: ${probed.recordId} was created and deleted`);
    case 'refused':
      return failed(check, `nothing was created: ${probed.failure.detail}`, remedyFor(probed.failure));
    case 'uncertain':
      return failed(
        check,
        `it is not known whether the record was created: ${probed.failure.detail}`,
        `Look for deviceName ${deviceName} in ${probed.collectionUrl}, and delete it if it is there.`,
      );
    case 'left-behind':
      return warning(
        check,
        `this tenant takes records, but the one that was created could not be deleted: ${probed.failure.detail}`,
        `Record ${probed.recordId} stays behind in hardware configuration ${configurationId}, with deviceName ${deviceName}. ` +
          `Delete ${probed.recordUrl}; where Graph refuses that too, it stays and does no harm.`,
      );
  }
}

/** What a probe adds to what is known of the tenant's Graph. */
export function learnFromProbe(probed: Probed, now: number): Learned {
  const createProven = { holds: true, at: now };
  if (probed.kind === 'clean') return { createProven, deleteByKeyTaken: { holds: true, at: now } };
  if (probed.kind !== 'left-behind') return {};
  const isRefused = ['rejected', 'route-not-served'].includes(probed.failure.kind);
  return { createProven, ...(isRefused && { deleteByKeyTaken: { holds: false, at: now } }) };
}

/** Whether anything was ever created there: reading proves nothing about that. */
export function judgeFacts(facts: GraphFacts | null, probeConfigurationId: string | null): Finding {
  const check = 'graph-creates';
  if (facts?.createProven) return ok(check, describeGraphFacts(facts).join('; '));
  const known = facts ? describeGraphFacts(facts).join('; ') : 'what workers found out cannot be read from Redis';
  const how = probeConfigurationId === null ? '; --write-probe GUID creates one record, and settles it' : '';
  return skipped(check, `${known}${how}`);
}

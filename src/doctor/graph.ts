// Does Graph answer, does its clock agree, is the hardware configuration there, and may records be created.
import type { Answered } from '../graph/inspect.ts';
import type { Probed } from '../graph/write-probe.ts';
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
  if (clockAheadMs === null) return skipped(check, 'no answer of Graph’s told its time');
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

export function judgeProbe(probed: Probed, deviceName: string): Finding {
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
        `Left behind with deviceName ${deviceName}. Delete ${probed.recordUrl}`,
      );
  }
}

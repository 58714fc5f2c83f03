// The history of a delivery, from its record: one line per event, oldest first.
import type { Attempt, Delivery, LastFailure } from '../delivery.ts';
import { FAILURES } from '../attempt/failure.ts';
import { describeNote } from '../attempt/note.ts';
import { LOOKUPS_UNTIL_ABSENT } from '../attempt/retry-policy.ts';

/** The members of a delivery that a history is made from. */
export type HistorySource = Pick<
  Delivery,
  | 'runId'
  | 'deviceId'
  | 'hardwareConfigurationId'
  | 'status'
  | 'acceptedAt'
  | 'attemptsMade'
  | 'attempts'
  | 'intent'
  | 'lastFailure'
  | 'deliveredAt'
  | 'deviceRunStateId'
  | 'supersededBy'
  | 'notes'
>;

type Line = { at: number; text: string };

/** An instant in human-readable form. */
export const toInstantText = (at: number): string => `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`;

/** The events so far. */
export function describeHistory(delivery: HistorySource): string[] {
  const { runId, deviceId, hardwareConfigurationId, acceptedAt, attempts, attemptsMade } = delivery;
  const forgotten = attemptsMade - attempts.length;
  const lines: Line[] = [
    {
      at: acceptedAt,
      text: `accepted: run ${runId} of device ${deviceId}, for hardware configuration ${hardwareConfigurationId}`,
    },
    ...(forgotten > 0 ? [{ at: acceptedAt, text: `${forgotten} earlier tries, whose details are not kept` }] : []),
    ...describeAttempts(delivery),
    ...describePresent(delivery),
    ...delivery.notes.map((note) => ({ at: note.at, text: `note: ${describeNote(note)}` })),
  ];
  return [
    ...lines.sort((a, b) => a.at - b.at).map(({ at, text }) => `${toInstantText(at)}  ${text}`),
    ...(delivery.supersededBy === null ? [] : [`superseded by delivery ${delivery.supersededBy}`]),
  ];
}

function describeAttempts({ attempts, lastFailure }: HistorySource): Line[] {
  let lookups: number | null = null;
  let collides = false;
  const ofAnAttempt = lastFailure && attempts.findLast(({ outcome }) => outcome === lastFailure.kind);
  const lines = attempts.map((attempt): Line => {
    const { at, number, outcome } = attempt;
    const looking = lookups !== null || outcome === 'absent' || outcome === 'found' || outcome === 'inconclusive';
    if (outcome === 'uncertain' || outcome === 'conflict') lookups ??= 0;
    if (!looking) collides = outcome === 'conflict';
    if (outcome === 'absent') lookups = (lookups ?? 0) + 1;
    const what = looking ? describeLookup(attempt, lookups ?? 0, collides) : describeCreate(attempt);
    if (lookups === LOOKUPS_UNTIL_ABSENT) lookups = null;
    return {
      at,
      text: `try ${number}: ${what}${evidence(attempt)}${attempt === ofAnAttempt ? said(lastFailure) : ''}`,
    };
  });
  if (lastFailure && ofAnAttempt === undefined) {
    lines.push({
      at: lastFailure.at,
      text: `${FAILURES[lastFailure.kind]}${evidence(lastFailure)}${said(lastFailure)}`,
    });
  }
  return lines;
}

function describeCreate({ outcome }: Attempt): string {
  if (outcome === 'created' || outcome === 'found') return 'created in Graph';
  if (outcome === 'absent') return 'not in Graph';
  if (outcome === 'uncertain') return `${FAILURES.uncertain}: Graph may have it`;
  return FAILURES[outcome];
}

function describeLookup({ outcome }: Attempt, lookups: number, collides: boolean): string {
  if (outcome === 'created' || outcome === 'found') return 'looked in Graph and found it: the create had worked';
  if (outcome === 'absent') {
    return lookups < LOOKUPS_UNTIL_ABSENT
      ? `looked in Graph, and it is not there (look ${lookups} of ${LOOKUPS_UNTIL_ABSENT})`
      : `looked in Graph for the last time (${lookups} of ${LOOKUPS_UNTIL_ABSENT}): ${collides ? 'no record there agrees with it' : 'surely not there, so it is created again'}`;
  }
  if (outcome === 'inconclusive')
    return 'looked in Graph, and not all records could be read: it is looked for further on';
  if (outcome === 'uncertain') return 'looked in Graph, but got no answer that can be relied on';
  if (outcome === 'not-sent') return 'wanted to look in Graph, but no connection came to be';
  return `wanted to look in Graph: ${FAILURES[outcome]}`;
}

function describePresent({
  status,
  attemptsMade,
  intent,
  lastFailure,
  deliveredAt,
  deviceRunStateId,
}: HistorySource): Line[] {
  const lines: Line[] = [];
  if (intent) {
    const what = intent.sends === 'look' ? 'looking in Graph' : 'sending it to Graph';
    lines.push({ at: intent.at, text: `try ${attemptsMade + 1}: ${what}; no outcome yet` });
  }
  if (deliveredAt !== null) {
    lines.push({ at: deliveredAt, text: `delivered: record ${deviceRunStateId ?? 'unknown'} in Graph` });
  }
  if (status === 'dead' && lastFailure) lines.push({ at: lastFailure.at, text: `given up: ${lastFailure.code}` });
  return lines;
}

function evidence({ graphStatus, graphRequestId }: Pick<Attempt, 'graphStatus' | 'graphRequestId'>): string {
  const parts = [
    ...(graphStatus === null ? [] : [`Graph said ${graphStatus}`]),
    ...(graphRequestId === null ? [] : [`request id ${graphRequestId}`]),
  ];
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`;
}

const said = (failure: LastFailure | null): string => (failure ? `: ${failure.detail}` : '');

// What happened to a delivery, told from its record: one line for each thing, oldest first.
import type { Attempt, Delivery, LastFailure } from '../delivery.ts';
import type { Failure } from '../attempt/failure.ts';
import { describeNote } from '../attempt/note.ts';
import { LOOKS_UNTIL_ABSENT } from '../attempt/retry.ts';

/** What its story is told from. */
export type Told = Pick<
  Delivery,
  | 'runId'
  | 'deviceId'
  | 'hardwareConfigurationId'
  | 'status'
  | 'acceptedAt'
  | 'attemptsMade'
  | 'attempts'
  | 'mark'
  | 'lastFailure'
  | 'deliveredAt'
  | 'deviceRunStateId'
  | 'supersededBy'
  | 'notes'
>;

type Line = { at: number; text: string };

const OF_FAILURE: Record<Failure['kind'], string> = {
  throttled: 'Graph asked to wait; surely nothing was written, and no try is spent',
  'not-sent': 'no connection came to be, so nothing was sent',
  delayed: 'Redis or the worker stood still until it was too late to send it, so nothing was sent and no try is spent',
  uncertain: 'the request was sent and no answer came that can be relied on',
  inconclusive: 'not all of Graph’s records could be read',
  conflict: 'Graph said that it collides with a record it has: whether that is this one is looked up',
  unauthenticated: 'Graph refused the token; surely nothing was written, and no try is spent',
  'credential-refused': 'the token endpoint refused the credential, so nothing was sent and no try is spent',
  forbidden: 'Graph refused the app’s permission or the licence; surely nothing was written, and no try is spent',
  'route-not-served': 'the tenant’s Intune does not serve this route; surely nothing was written, and no try is spent',
  rejected: 'Graph refused this record for its own sake',
};

/** An instant as people read it. */
export const toText = (at: number): string => `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`;

/** Tells what happened so far. */
export function tellHistory(delivery: Told): string[] {
  const { runId, deviceId, hardwareConfigurationId, acceptedAt, attempts, attemptsMade } = delivery;
  const forgotten = attemptsMade - attempts.length;
  const lines: Line[] = [
    {
      at: acceptedAt,
      text: `accepted: run ${runId} of device ${deviceId}, for hardware configuration ${hardwareConfigurationId}`,
    },
    ...(forgotten > 0 ? [{ at: acceptedAt, text: `${forgotten} earlier tries, whose details are not kept` }] : []),
    ...tellAttempts(delivery),
    ...tellPresent(delivery),
    ...delivery.notes.map((note) => ({ at: note.at, text: `note: ${describeNote(note)}` })),
  ];
  return [
    ...lines.sort((a, b) => a.at - b.at).map(({ at, text }) => `${toText(at)}  ${text}`),
    ...(delivery.supersededBy === null ? [] : [`superseded by delivery ${delivery.supersededBy}`]),
  ];
}

function tellAttempts({ attempts, lastFailure }: Told): Line[] {
  let looks: number | null = null;
  let collides = false;
  const ofAnAttempt = lastFailure && attempts.findLast(({ outcome }) => outcome === lastFailure.kind);
  const lines = attempts.map((attempt): Line => {
    const { at, number, outcome } = attempt;
    const looking = looks !== null || outcome === 'absent' || outcome === 'found' || outcome === 'inconclusive';
    if (outcome === 'uncertain' || outcome === 'conflict') looks ??= 0;
    if (!looking) collides = outcome === 'conflict';
    if (outcome === 'absent') looks = (looks ?? 0) + 1;
    const what = looking ? tellLook(attempt, looks ?? 0, collides) : tellCreate(attempt);
    if (looks === LOOKS_UNTIL_ABSENT) looks = null;
    return {
      at,
      text: `try ${number}: ${what}${evidence(attempt)}${attempt === ofAnAttempt ? said(lastFailure) : ''}`,
    };
  });
  if (lastFailure && ofAnAttempt === undefined) {
    lines.push({
      at: lastFailure.at,
      text: `${OF_FAILURE[lastFailure.kind]}${evidence(lastFailure)}${said(lastFailure)}`,
    });
  }
  return lines;
}

function tellCreate({ outcome }: Attempt): string {
  switch (outcome) {
    case 'created':
    case 'found':
      return 'created in Graph';
    case 'absent':
      return 'not in Graph';
    case 'uncertain':
      return `${OF_FAILURE.uncertain}: Graph may have it`;
    case 'not-sent':
    case 'delayed':
    case 'throttled':
    case 'unauthenticated':
    case 'credential-refused':
    case 'forbidden':
    case 'inconclusive':
    case 'conflict':
    case 'route-not-served':
    case 'rejected':
      return OF_FAILURE[outcome];
  }
}

function tellLook({ outcome }: Attempt, looks: number, collides: boolean): string {
  switch (outcome) {
    case 'created':
    case 'found':
      return 'looked in Graph and found it: the create had worked';
    case 'absent':
      return looks < LOOKS_UNTIL_ABSENT
        ? `looked in Graph, and it is not there (look ${looks} of ${LOOKS_UNTIL_ABSENT})`
        : `looked in Graph for the last time (${looks} of ${LOOKS_UNTIL_ABSENT}): ${collides ? 'no record there agrees with it' : 'surely not there, so it is created again'}`;
    case 'inconclusive':
      return 'looked in Graph, and not all records could be read: it is looked for further on';
    case 'uncertain':
      return 'looked in Graph, but got no answer that can be relied on';
    case 'not-sent':
      return 'wanted to look in Graph, but no connection came to be';
    case 'delayed':
    case 'throttled':
    case 'unauthenticated':
    case 'credential-refused':
    case 'forbidden':
    case 'conflict':
    case 'route-not-served':
    case 'rejected':
      return `wanted to look in Graph: ${OF_FAILURE[outcome]}`;
  }
}

function tellPresent({ status, attemptsMade, mark, lastFailure, deliveredAt, deviceRunStateId }: Told): Line[] {
  const lines: Line[] = [];
  if (mark) {
    const what = mark.sends === 'look' ? 'looking in Graph' : 'sending it to Graph';
    lines.push({ at: mark.at, text: `try ${attemptsMade + 1}: ${what}; no outcome yet` });
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

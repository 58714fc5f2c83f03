// The verdict on a run: waits until everything has ended, and has the oracle judge what was answered, stored and created.
import { judge, type DeliveryView } from '../chaos/oracle.ts';
import type { StandInGraph } from '../chaos/stand-in-graph.ts';
import { until } from '../support/until.ts';
import type { Heard } from './load.ts';
import type { Operator } from './operator.ts';

type Judged = {
  /** Of the service that has the data at the end. */
  operator: Operator;
  graph: StandInGraph;
  /** How long everything may take to end once the load has. */
  quietWithinMs: number;
};

export async function judgeAll({ answers }: Pick<Heard, 'answers'>, { operator, graph, quietWithinMs }: Judged) {
  const isQuiet = async () => {
    const counts = await operator.counts();
    return counts !== null && counts.queued + counts.delivering + counts.waiting === 0;
  };
  const isInTime = await until('everything has ended', isQuiet, quietWithinMs).catch(() => false);
  const views = new Map<string, NonNullable<DeliveryView>>();
  for (const { deliveryId } of answers) {
    // One that cannot be read is lost, to the oracle.
    const view = await operator.delivery(deliveryId ?? '').catch(() => null);
    if (view) views.set(deliveryId ?? '', view);
  }
  const isSuperseded = ({ deliveryId }: (typeof answers)[number]) =>
    views.get(deliveryId ?? '')?.status === 'superseded';
  const superseded = answers.filter(isSuperseded);
  const summed = await operator.summed();
  const { violations, ...ends } = judge({
    answers: answers.filter((answer) => !isSuperseded(answer)),
    views,
    records: graph.records(),
    counts: await operator.counts(),
    summed: { ...summed, accepted: summed.accepted - summed.superseded },
  });
  const devices = new Set(answers.map(({ submission }) => submission.runResult.deviceId)).size;
  const known = await operator.countDevices();
  return {
    ...ends,
    superseded: superseded.length,
    violations: [
      ...violations.map(({ fault, what }) => `${fault}: ${what}`),
      ...superseded
        .filter(({ submission }) => !submission.runResult.runId.endsWith('-older'))
        .map(({ submission }) => `superseded without a newer one: ${submission.runResult.runId}`),
      ...(superseded.length === summed.superseded ? [] : [`${summed.superseded} superseded in the summaries`]),
      ...(known === devices ? [] : [`${known} devices are known, of ${devices}`]),
      ...(isInTime ? [] : [`not everything ended within ${quietWithinMs} ms`]),
    ],
  };
}

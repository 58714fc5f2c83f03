// Formats a bridge's status for people: as a screen, or as one line.
import { describeGraphFacts } from '../../domain/operations/graph-facts.ts';
import { toInstantText } from '../../domain/operations/history.ts';
import { fromGraphFactsView } from '../../api/graph-facts-view.ts';
import { levelOf, type Level, type BridgeStatus, type ShownStatus } from './bridge-status.ts';
import { toTable } from '../table.ts';

const WORDS: Record<Level, string> = {
  flows: 'deliveries flow',
  degraded: 'accepts run results, but needs an operator',
  failing: 'refuses run results',
  unreachable: 'is not reachable',
  'not-a-bridge': 'is not the bridge’s address',
};

type Tenant = ShownStatus['tenants'][number];

/** Everything about the bridge, as lines. */
export function toScreen(bridge: BridgeStatus, url: string): string[] {
  const head = `${url}  ${WORDS[levelOf(bridge)]}`;
  if (bridge.kind !== 'answers') return [`${head}: ${bridge.why}`];
  const { readiness, status } = bridge;
  const troubles = Object.entries(readiness.checks).filter(([, { ok }]) => !ok);
  return [
    head,
    ...(status ? [...toCounts(status), `durability: ${status.durability}`] : []),
    // A hold is shown below with its remedy; the readiness check `graph` would repeat it.
    ...troubles.filter(([name]) => name !== 'graph' || !status).map(([name, { detail }]) => `${name}: ${detail}`),
    ...(status?.tenants.flatMap(toHolds) ?? []),
    ...(status?.tenants.flatMap(toGraphFacts) ?? []),
  ];
}

/** The parts that change when something happens, on one line; without ages, which always change. */
export function toLine(bridge: BridgeStatus): string {
  const level = levelOf(bridge);
  if (bridge.kind !== 'answers') return `${level}: ${bridge.why}`;
  const { readiness, status } = bridge;
  if (!status) return `${level}: ${Object.values(readiness.checks).find(({ ok }) => !ok)?.detail ?? 'no status'}`;
  const tenants = status.tenants.map(({ id, counts, holds }) => {
    const numbers = Object.entries(counts).map(([name, count]) => `${name} ${count}`);
    const name = status.tenants.length === 1 ? [] : [id];
    return [
      ...name,
      ...numbers,
      ...holds.map(
        ({ reason, hardwareConfigurationId: of }) =>
          `held: ${reason}${of === undefined ? '' : ` (configuration ${of})`}`,
      ),
    ].join(' · ');
  });
  return [level, ...tenants].join(' · ');
}

function toCounts({ tenants }: ShownStatus): string[] {
  const head = ['tenant', 'queued', 'delivering', 'waiting', 'delivered', 'dead', 'oldest', 'pace', 'drained in'];
  const rows = tenants.map(({ id, counts, oldestQueuedAgeSeconds, budgetWritesPerSecond, drainSeconds }) => {
    const { queued, delivering, waiting, delivered, dead } = counts;
    const pace = `${Math.round(budgetWritesPerSecond * 100) / 100}/s`;
    return [id, queued, delivering, waiting, delivered, dead, span(oldestQueuedAgeSeconds), pace, span(drainSeconds)];
  });
  return toTable(head, rows);
}

function toHolds({ id, holds }: Tenant): string[] {
  return holds.flatMap(({ reason, since, detail, remedy, hardwareConfigurationId, deliveries = 0 }) => {
    const at = toInstantText(Date.parse(since));
    if (reason === 'throttled') return [`${id} is throttled since ${at}: ${detail}. ${remedy}`];
    const what =
      hardwareConfigurationId === undefined
        ? `${id} is held`
        : `${id}: hardware configuration ${hardwareConfigurationId} alone is held (${deliveries} kept back)`;
    return [`${what} since ${at}, ${reason}: ${detail}`, `  → ${remedy}`];
  });
}

const toGraphFacts = ({ id, graph }: Tenant) =>
  graph ? [`Graph of ${id}: ${describeGraphFacts(fromGraphFactsView(graph)).join('; ')}`] : [];

function span(seconds: number): string {
  if (seconds === 0) return '–';
  if (seconds < 120) return `${Math.ceil(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

// One tenant's Graph in a run: a proxy before it for each process, its moods, and its configurations in trouble.
import { connect } from 'node:net';
import type { Disturbance, Filter, Kind, Party } from './plan.ts';
import { PARTIES } from './plan.ts';
import { createProxy, type Proxy } from './proxy.ts';
import { REVOKING, type StandInGraph, type Troubles } from './stand-in-graph.ts';

export type TenantGraph = {
  ways: Record<Party, Proxy>;
  mood: (kind: Kind, change: 1 | -1) => void;
  /** The configuration's trouble that began last counts, where there are several. */
  trouble: (disturbance: Disturbance, change: 1 | -1) => void;
  mend: () => void;
  close: () => Promise<void>;
};

export async function openTenantGraph(standIn: StandInGraph, filter: Filter): Promise<TenantGraph> {
  standIn.begin(filter);
  const ways = await openProxies(() => connect(standIn.port, '127.0.0.1'));
  const moods = new Map<Kind, number>();
  let inTrouble: Disturbance[] = [];
  const setTroubles = (now: Disturbance[]) => {
    inTrouble = now;
    standIn.troubles(new Map(now.map(({ configurationId, kind }) => [configurationId ?? '', kind])) as Troubles);
  };
  return {
    ways,
    mood: (kind, change) => {
      moods.set(kind, (moods.get(kind) ?? 0) + change);
      standIn.moods(new Set([...moods].filter(([, count]) => count > 0).map(([name]) => name)));
      if (change > 0 && REVOKING.includes(kind)) standIn.revokeTokens();
    },
    trouble: (disturbance, change) =>
      setTroubles(change > 0 ? [...inTrouble, disturbance] : inTrouble.filter((other) => other !== disturbance)),
    mend: () => {
      moods.clear();
      standIn.moods(new Set());
      setTroubles([]);
      for (const way of Object.values(ways)) {
        way.resume();
        way.refuse(false);
      }
    },
    close: async () => {
      await Promise.all(Object.values(ways).map((way) => way.close()));
    },
  };
}

export async function openProxies(to: Parameters<typeof createProxy>[0]): Promise<Record<Party, Proxy>> {
  const made = await Promise.all(PARTIES.map(async (party) => [party, await createProxy(to)] as const));
  return Object.fromEntries(made) as Record<Party, Proxy>;
}

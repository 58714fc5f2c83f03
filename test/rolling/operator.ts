// What an operator asks of the service in a rolling update, over HTTP.
import type { Counts, DeliveryView, Summed } from '../chaos/oracle.ts';

export type Operator = ReturnType<typeof createOperator>;

export function createOperator(url: string, token: string) {
  async function ask<T>(path: string, body?: object): Promise<T> {
    const answer = await fetch(`${url}${path}`, {
      headers: { authorization: `Bearer ${token}`, connection: 'close', 'content-type': 'application/json' },
      ...(body && { method: 'POST', body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  }

  return {
    counts: async () => (await ask<{ tenants: { counts: Counts }[] }>('/v1/status')).tenants[0]?.counts ?? null,
    delivery: (id: string) => ask<NonNullable<DeliveryView>>(`/v1/deliveries/${id}`),
    replayAll: async () => (await ask<{ replayed: number }>('/v1/dead-letters/replay', { filter: {} })).replayed,
    /** All days as one. */
    summed: async (): Promise<Summed & { superseded: number }> => {
      type Outcomes = Record<'delivered' | 'dead' | 'open' | 'superseded', number>;
      const { summaries } = await ask<{ summaries: { accepted: number; outcomes: Outcomes }[] }>('/v1/summaries');
      const sum = (of: (one: (typeof summaries)[number]) => number) => summaries.reduce((all, one) => all + of(one), 0);
      return {
        accepted: sum(({ accepted }) => accepted),
        delivered: sum(({ outcomes }) => outcomes.delivered),
        dead: sum(({ outcomes }) => outcomes.dead),
        open: sum(({ outcomes }) => outcomes.open),
        superseded: sum(({ outcomes }) => outcomes.superseded),
      };
    },
    /** How many devices reported something. */
    countDevices: async (): Promise<number> => {
      let [count, cursor]: [number, string | null] = [0, null];
      do {
        const from: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
        const page: { devices: unknown[]; nextCursor: string | null } = await ask(
          `/v1/devices?silentForH=0.000001&limit=500${from}`,
        );
        count += page.devices.length;
        cursor = page.nextCursor;
      } while (cursor !== null);
      return count;
    },
  };
}

// The attempts a process makes at once, shared between its tenants so that none waits for a tenant that takes long.

/** Room for one attempt. */
export type Slot = { release: () => void };

export type TenantSlots = {
  /** Resolves with a slot when it is this tenant's turn. @throws the signal's reason if it aborts first */
  take: (signal: AbortSignal) => Promise<Slot>;
  /** The tenant takes no further slots. */
  close: () => void;
};

export type Slots = { ofTenant: (tenantId: string) => TenantSlots };

type Waiting = { tenantId: string; give: (slot: Slot) => void };

/**
 * A tenant may have at most as many slots as are left free: one whose attempts hang takes half of them at most, two such
 * tenants a third each, and there is always room for others. A tenant that is alone may have them all. Among those that
 * wait, the tenant with the fewest slots goes first.
 * @param total attempts at once
 */
export function createSlots(total: number): Slots {
  let free = total;
  const held = new Map<string, number>();
  /** How often each tenant is open: while it is opened again, the old one still ends its attempts. */
  const opened = new Map<string, number>();
  let queue: Waiting[] = [];

  const heldBy = (tenantId: string) => held.get(tenantId) ?? 0;
  const mayTake = (tenantId: string) => free > 0 && (opened.size <= 1 || heldBy(tenantId) < free);

  function change(counts: Map<string, number>, tenantId: string, by: 1 | -1): void {
    const count = (counts.get(tenantId) ?? 0) + by;
    if (count === 0) counts.delete(tenantId);
    else counts.set(tenantId, count);
  }

  function createSlot(tenantId: string): Slot {
    let isReleased = false;
    free -= 1;
    change(held, tenantId, 1);
    return {
      release: () => {
        if (isReleased) return;
        isReleased = true;
        free += 1;
        change(held, tenantId, -1);
        giveOut();
      },
    };
  }

  function giveOut(): void {
    for (let next = findNext(); next; next = findNext()) {
      const given = next;
      queue = queue.filter((waiting) => waiting !== given);
      given.give(createSlot(given.tenantId));
    }
  }

  /** The first of those with the fewest slots. */
  function findNext(): Waiting | null {
    let next: Waiting | null = null;
    for (const waiting of queue) {
      if (!mayTake(waiting.tenantId)) continue;
      if (!next || heldBy(waiting.tenantId) < heldBy(next.tenantId)) next = waiting;
    }
    return next;
  }

  function take(tenantId: string, signal: AbortSignal): Promise<Slot> {
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    if (mayTake(tenantId)) return Promise.resolve(createSlot(tenantId));
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { tenantId, give: onGiven };
      function onGiven(slot: Slot): void {
        signal.removeEventListener('abort', leave);
        resolve(slot);
      }
      function leave(): void {
        queue = queue.filter((other) => other !== waiting);
        reject(signal.reason as Error);
      }
      signal.addEventListener('abort', leave, { once: true });
      queue.push(waiting);
    });
  }

  return {
    ofTenant: (tenantId) => {
      change(opened, tenantId, 1);
      return {
        take: (signal) => take(tenantId, signal),
        close: () => {
          change(opened, tenantId, -1);
          giveOut();
        },
      };
    },
  };
}

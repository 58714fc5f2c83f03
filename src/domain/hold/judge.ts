// Derives holds from what is known so far and one outcome: which begin, continue or end, for the tenant or one configuration.
import { configurationKey, isForgotten, keyOfHold, type Hold, type HoldKey, type Operation } from './hold.ts';
import type { TenantEffect } from './tenant-effect.ts';

type Failing = Extract<TenantEffect, { kind: 'hold' | 'count-failure' }>;

/** Failures of the same kind and where they occurred; keeps only as many as are needed for a hold. */
export type Tally = { deliveries: string[]; configurations: string[]; count: number };

/** Failures that become a hold if they continue. `at` is when the latest one was counted. */
export type Suspicion = { at: number; tallies: Record<string, Tally> };

/** What is known about access to Graph, by HoldKey: operation and scope. Instants are milliseconds since 1970. */
export type Knowledge = {
  holds: Record<string, Hold>;
  suspicions: Record<string, Suspicion>;
  /** When an operation last succeeded for a configuration. */
  worked: Record<string, number>;
  /** The configuration holds that keep deliveries back, which probe them; they are not forgotten. */
  parked?: readonly string[];
};

export const NOTHING_KNOWN: Knowledge = { holds: {}, suspicions: {}, worked: {} };

/** What the outcome of one attempt means for its tenant. */
export type Evidence = {
  effect: TenantEffect;
  operation: Operation;
  deliveryId: string;
  hardwareConfigurationId: string;
  /** The holds that this attempt was a probe of. */
  probes: readonly HoldKey[];
};

export type Judgement = {
  knowledge: Knowledge;
  began: Hold[];
  ended: Hold[];
  /** Holds whose probe failed. */
  goOn: Hold[];
  /** A hold explains this failure: the delivery is kept and does not age. */
  kept: boolean;
};

/** If another configuration succeeded within this time, a failure does not concern the whole tenant. */
export const WITNESS_MS = 60_000;
/** Probe intervals double up to this multiple of the first. */
export const LONGEST_PROBE_INTERVAL = 15;
/** Suspicions are dropped after this time, and at most this many are kept. */
const SUSPECTED_FOR_MS = 3_600_000;
const SUSPICIONS_AT_MOST = 200;
/** How many different kinds of rejection are counted at the same time. */
const TALLIES_AT_MOST = 4;

/** How long after its last failed probe a hold is probed again. */
const probeIntervalMs = (probes: number, holdProbeMs: number): number =>
  holdProbeMs * Math.min(LONGEST_PROBE_INTERVAL, 2 ** Math.min(probes, 4));

type JudgeInput = {
  before: Knowledge;
  evidence: Evidence;
  now: number;
  /** Delay before the first probe. */
  holdProbeMs: number;
};

/**
 * Judges one outcome. A failure that may concern a single configuration holds that configuration, and also the tenant
 * unless another configuration that is not held itself succeeded recently. A hold ends only when what it is about works.
 */
export function judge({ before, evidence, now, holdProbeMs }: JudgeInput): Judgement {
  const judged = begin(giveBack(before, evidence.deliveryId, now), now);
  const { operation, effect, hardwareConfigurationId } = evidence;
  const own = keyOfHold(operation, hardwareConfigurationId);
  const isProbeOf = (key: HoldKey) => evidence.probes.includes(key) || before.holds[key]?.probe === evidence.deliveryId;
  switch (effect.kind) {
    case 'nothing':
      break;
    case 'throttle':
      reached();
      break;
    case 'answered':
      reached();
      answered();
      if (effect.missing) gone();
      break;
    case 'recovered':
      reached();
      works();
      if (effect.delivered) endIdle();
      break;
    case 'hold':
    case 'count-failure':
      if (effect.reached) reached();
      if (effect.reason === 'all-rejected') answered();
      if (effect.missing) gone();
      fails(effect);
  }
  const { knowledge, began, ended, goOn } = judged;
  return { knowledge, began, ended, goOn, kept: isKept() };

  /** Graph was reached with a token, which ends holds about “any”. */
  function reached(): void {
    judged.trust('any');
    if (isProbeOf('any')) judged.end('any');
  }

  function works(): void {
    judged.trust(own);
    judged.trust(operation);
    if (isProbeOf(own)) judged.end(own);
    if (isProbeOf(operation)) judged.end(operation);
    // A failure begun by another configuration did not concern the tenant; and a working create implies working lookups.
    const proven = operation === 'create' ? (['create', 'look'] as const) : (['look'] as const);
    for (const key of judged.knowledge.holds[own] ? [] : proven) {
      const begunBy = judged.knowledge.holds[key]?.begunBy ?? null;
      if (begunBy !== null && begunBy !== configurationKey(hardwareConfigurationId)) judged.end(key);
    }
    judged.knowledge.worked[own] = now;
  }

  /** Nothing is left to probe a hold of this configuration that keeps nothing back, such as after its last delivery was found. */
  function endIdle(): void {
    for (const about of ['create', 'look'] as const) {
      const key = keyOfHold(about, hardwareConfigurationId);
      if (before.parked?.includes(key) === false && judged.knowledge.holds[key]?.probe === null) judged.end(key);
    }
  }

  /** Graph decided on the request: only holds about its decisions can continue. */
  function answered(): void {
    for (const key of [own, operation]) {
      judged.trustBut(key, 'all-rejected');
      if (isProbeOf(key) && judged.knowledge.holds[key]?.reason !== 'all-rejected') judged.end(key);
    }
  }

  /**
   * The configuration does not exist: its deliveries are given up one by one, and none is left to probe its holds. While
   * every create of the tenant is rejected, this answer is not believed.
   */
  function gone(): void {
    if (judged.knowledge.holds['create']?.reason === 'all-rejected') return;
    judged.end(keyOfHold('create', hardwareConfigurationId));
    judged.end(keyOfHold('look', hardwareConfigurationId));
  }

  function fails(failing: Failing): void {
    const tenant: HoldKey = failing.about;
    const keys = failing.scope === 'tenant' ? [tenant] : [own, tenant];
    for (const key of keys) if (isProbeOf(key)) judged.persist(key, failing, evidence, holdProbeMs);
    if (failing.scope === 'tenant') {
      if (judged.countFailure(tenant, failing, evidence) >= failuresUntilHold(failing)) holdTenant(failing, null);
      return;
    }
    // A configuration known to fail says nothing more about the tenant.
    if (judged.knowledge.holds[own]) return;
    const enough = judged.countFailure(own, failing, evidence) >= failuresUntilHold(failing);
    const wasItsTurn = isProbeOf(tenant) && judged.knowledge.holds[tenant] !== undefined;
    if (wasItsTurn || (enough && !failing.missing)) {
      judged.hold(own, newHold(failing, hardwareConfigurationId, null));
      // It was this configuration's turn to probe: others may probe now, so that each can show whether it works.
      if (wasItsTurn) judged.tryOthers(tenant, now);
    }
    const everywhere = judged.countFailure(tenant, failing, evidence) >= failuresUntilHold(failing);
    const isTenants = !failing.missing || judged.configurationsOf(tenant, failing) > 1;
    if (everywhere && isTenants && !hasWitness()) holdTenant(failing, configurationKey(hardwareConfigurationId));
  }

  function holdTenant(failing: Failing, begunBy: string | null): void {
    if (!judged.knowledge.holds[failing.about]) judged.hold(failing.about, newHold(failing, null, begunBy));
  }

  /** Whether another configuration that is not held itself succeeded recently. */
  function hasWitness(): boolean {
    return Object.entries(judged.knowledge.worked).some(([key, at]) => {
      const [of = '', configuration] = key.split(':');
      // Reading does not prove permission to write; writing does prove permission to read.
      const proves = of === operation || of === 'create';
      const isOther = configuration !== configurationKey(hardwareConfigurationId);
      return proves && isOther && now - at < WITNESS_MS && !judged.knowledge.holds[key];
    });
  }

  function newHold({ reason, about, detail }: Failing, configurationId: string | null, begunBy: string | null): Hold {
    const probeAt = now + probeIntervalMs(0, holdProbeMs);
    return {
      reason,
      about,
      hardwareConfigurationId: configurationId,
      since: now,
      detail,
      probes: 0,
      probeAt,
      tryOthersAt: probeAt,
      probe: null,
      begunBy,
    };
  }

  function isKept(): boolean {
    if (effect.kind !== 'hold' && effect.kind !== 'count-failure') return false;
    if (effect.reason === 'all-rejected') {
      return [own, operation].some(
        (key) => before.holds[key]?.reason === 'all-rejected' && judged.knowledge.holds[key] !== undefined,
      );
    }
    return [own, operation, 'any' as const].some((key) => judged.knowledge.holds[key] !== undefined);
  }
}

/** The holds without those that nothing is left to probe. */
export function remembered({ holds, parked }: Knowledge, now: number): Knowledge['holds'] {
  const kept = new Set(parked);
  return Object.fromEntries(Object.entries(holds).filter(([key, hold]) => kept.has(key) || !isForgotten(hold, now)));
}

/** Releases the probes that a delivery was chosen for, so that the next probe can be sent immediately. */
export function giveBack(knowledge: Knowledge, deliveryId: string, now: number): Knowledge {
  const entries = Object.entries(knowledge.holds).map(([key, hold]) => {
    const given = hold.probe === deliveryId ? { ...hold, probe: null, probeAt: now, tryOthersAt: now } : hold;
    return [key, given] as const;
  });
  return { ...knowledge, holds: Object.fromEntries(entries) };
}

/** A working copy of what is known, changed step by step, and the resulting changes of holds. */
function begin(before: Knowledge, now: number) {
  const knowledge: Knowledge = {
    holds: remembered(before, now),
    suspicions: recent(before.suspicions, now),
    worked: Object.fromEntries(Object.entries(before.worked).filter(([, at]) => now - at < WITNESS_MS)),
  };
  const began: Hold[] = [];
  const ended: Hold[] = [];
  const goOn: Hold[] = [];

  function end(key: HoldKey): void {
    const hold = knowledge.holds[key];
    if (!hold) return;
    knowledge.holds = without(knowledge.holds, key);
    ended.push(hold);
    if (hold.hardwareConfigurationId !== null) return;
    // The cause concerned the whole tenant: configurations held along with it are probed at once.
    for (const [other, held] of Object.entries(knowledge.holds)) {
      if (held.about !== key || held.hardwareConfigurationId === null) continue;
      knowledge.holds[other] = { ...held, probes: 0, probeAt: Math.min(held.probeAt, now) };
    }
  }

  function trustBut(key: HoldKey, reason: string): void {
    const suspicion = knowledge.suspicions[key];
    if (!suspicion) return;
    const kept = Object.entries(suspicion.tallies).filter(([alike]) => alike.startsWith(reason));
    if (kept.length === 0) knowledge.suspicions = without(knowledge.suspicions, key);
    else knowledge.suspicions[key] = { ...suspicion, tallies: Object.fromEntries(kept) };
  }

  return {
    knowledge,
    began,
    ended,
    goOn,
    end,
    trustBut,
    trust: (key: HoldKey) => {
      knowledge.suspicions = without(knowledge.suspicions, key);
    },
    hold: (key: HoldKey, hold: Hold) => {
      knowledge.holds[key] = hold;
      knowledge.suspicions = without(knowledge.suspicions, key);
      began.push(hold);
    },
    /** A probe failed, so the next one waits longer. A changed reason is reported as a new hold. */
    persist: (
      key: HoldKey,
      { reason, detail }: Failing,
      { hardwareConfigurationId }: Evidence,
      holdProbeMs: number,
    ) => {
      const held = knowledge.holds[key];
      if (!held) return;
      const probes = held.probes + 1;
      // If a different configuration's probe fails, the reason belongs to that configuration's own hold.
      const isSame = held.begunBy === null || held.begunBy === configurationKey(hardwareConfigurationId);
      const isNews = isSame && held.reason !== reason;
      if (isNews) ended.push(held);
      const probeAt = now + probeIntervalMs(probes, holdProbeMs);
      const next: Hold = {
        ...held,
        reason: isSame ? reason : held.reason,
        since: isNews ? now : held.since,
        detail: isSame ? detail : held.detail,
        probes,
        probeAt,
        tryOthersAt: probeAt,
        probe: null,
      };
      knowledge.holds[key] = next;
      (isNews ? began : goOn).push(next);
    },
    tryOthers: (key: HoldKey, at: number) => {
      const held = knowledge.holds[key];
      if (held) knowledge.holds[key] = { ...held, tryOthersAt: at };
    },
    /** @returns how many failures of this kind are counted */
    countFailure: (key: HoldKey, failing: Failing, { deliveryId, hardwareConfigurationId }: Evidence): number => {
      const alike = tallyOf(failing);
      const tallies = knowledge.suspicions[key]?.tallies ?? {};
      const known = tallies[alike] ?? { deliveries: [], configurations: [], count: 0 };
      const needed = failuresUntilHold(failing);
      const countsAgain = failing.kind === 'count-failure' && failing.countsAgain;
      const isNew = countsAgain || !known.deliveries.includes(deliveryId);
      const tally: Tally = {
        count: Math.min(needed, known.count + (isNew ? 1 : 0)),
        deliveries: [...known.deliveries.filter((id) => id !== deliveryId), deliveryId].slice(-needed),
        configurations: [...new Set([...known.configurations, configurationKey(hardwareConfigurationId)])].slice(-2),
      };
      const others = Object.entries(tallies).filter(([other]) => other !== alike);
      const kept = [...others.slice(1 - TALLIES_AT_MOST), [alike, tally] as const];
      knowledge.suspicions[key] = { at: now, tallies: Object.fromEntries(kept) };
      return tally.count;
    },
    configurationsOf: (key: HoldKey, failing: Failing) =>
      knowledge.suspicions[key]?.tallies[tallyOf(failing)]?.configurations.length ?? 0,
  };
}

const failuresUntilHold = (failing: Failing) => (failing.kind === 'hold' ? 1 : failing.failuresUntilHold);
const tallyOf = ({ reason, alike }: Failing) => `${reason} ${alike}`;

/** @returns all entries except this one */
function without<T>(entries: Record<string, T>, key: HoldKey): Record<string, T> {
  return Object.fromEntries(Object.entries(entries).filter(([other]) => other !== key));
}

function recent(suspicions: Knowledge['suspicions'], now: number): Knowledge['suspicions'] {
  const kept = Object.entries(suspicions)
    .filter(([, { at }]) => now - at < SUSPECTED_FOR_MS)
    .toSorted(([, a], [, b]) => b.at - a.at)
    .slice(0, SUSPICIONS_AT_MOST);
  return Object.fromEntries(kept);
}

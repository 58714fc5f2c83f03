// The sandbox in its own process, with an accelerated clock and a hidden limit: counts accepted and refused requests.
import { WINDOW_MS, WINDOW_S } from '../../src/domain/pace/per-window.ts';
import { createSandbox } from '../../src/sandbox/sandbox.ts';
import type { Cell } from './cells.ts';
import { readArgument, say } from './process.ts';

export type SandboxArgument = { cell: Cell; timeScale: number; directory: string };
export type StartedSandbox = { environment: Record<string, string>; configurationId: string };
export type Counted = { taken: number; refused: number; allowed: number; calledEarly: number };

/** Latency range of Graph's responses. */
const LATENCY_MS = [100, 400] as const;

const { cell, timeScale, directory } = readArgument() as SandboxArgument;
const startedAt = Date.now();
const now = () => startedAt + performance.now() * timeScale;

const sandbox = await createSandbox({
  now,
  tlsDirectory: directory,
  tokenLifetimeS: 1_000_000,
  latencyMs: [LATENCY_MS[0] / timeScale, LATENCY_MS[1] / timeScale],
  limiter: {
    kind: cell.limiter,
    writesPer20s: perWindow(cell.limits[0] ?? 100),
    retryAfter: cell.retryAfter ? 'seconds' : 'none',
    timeScale: WINDOW_S / cell.windowS,
  },
  faults: { creates: { '429': cell.noise } },
});

const counts = { taken: 0, refused: 0, allowed: 0 };
let countFrom = Infinity;
sandbox.subscribe(({ operation, status }) => {
  if (operation !== 'create' || now() < countFrom) return;
  if (status === 429) counts.refused += 1;
  else counts.taken += 1;
});

process.on('message', (word) => {
  if (word === 'begin') begin();
  const counted: Counted = { ...counts, calledEarly: sandbox.stats().calledEarly };
  say(counted);
});

/** Starts the cell's clock. */
function begin(): void {
  countFrom = now() + cell.settleMs;
  const stepMs = cell.countMs / cell.limits.length;
  cell.limits.forEach((writesPer20s, index) => {
    counts.allowed += (writesPer20s * stepMs) / WINDOW_MS;
    if (index > 0)
      setTimeout(
        () => sandbox.set({ limiter: { writesPer20s: perWindow(writesPer20s) } }),
        (index * stepMs) / timeScale,
      );
  });
  setTimeout(() => (countFrom = Infinity), (cell.settleMs + cell.countMs) / timeScale);
}

function perWindow(writesPer20s: number): number {
  return (writesPer20s * cell.windowS) / WINDOW_S;
}

const ready: StartedSandbox = {
  environment: sandbox.environment(),
  configurationId: sandbox.configurationIds[0] ?? '',
};
say(ready);

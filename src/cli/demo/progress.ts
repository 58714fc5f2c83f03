// The demo's progress: one live line on a terminal, a line every few seconds elsewhere.
import { SingleBar } from 'cli-progress';
import { print } from '../out.ts';

export type Tally = {
  accepted: number;
  duplicate: number;
  refused: number;
  unreachable: number;
  delivered: number;
  waiting: number;
  dead: number;
};

const LINE_EVERY_MS = 3000;

/** @param tally read on each update */
export function createProgress(devices: number, tally: Tally) {
  const startedAt = Date.now();
  const rate = () => (tally.delivered / Math.max(0.001, (Date.now() - startedAt) / 1000)).toFixed(1);

  if (process.stdout.isTTY) {
    const bar = new SingleBar({
      format:
        '{bar} {value}/{total} delivered · {rate}/s · accepted {accepted} · waiting {waiting} · duplicates {duplicate} · refused {refused}',
      hideCursor: true,
      stopOnComplete: false,
      barsize: 24,
    });
    bar.start(devices, 0, { ...tally, rate: rate() });
    const show = () => bar.update(tally.delivered, { ...tally, rate: rate() });
    return {
      show,
      end: () => {
        show();
        bar.stop();
      },
    };
  }

  let shownAt = 0;
  const line = () =>
    print(
      `delivered ${tally.delivered}/${devices} (${rate()}/s), accepted ${tally.accepted}, waiting ${tally.waiting}, duplicates ${tally.duplicate}, refused ${tally.refused}`,
    );
  return {
    show: () => {
      if (Date.now() - shownAt < LINE_EVERY_MS) return;
      shownAt = Date.now();
      line();
    },
    end: line,
  };
}

// Adds up what several processes of one container say in a scrape, as Prometheus text.

type Family = { head: string[]; type: string; samples: Map<string, number> };

/** What is the same in all: only the process that was asked has read it just now. */
const OF_THE_FIRST = /^runstate_|_info$/;
/** How other gauges of several processes are combined, where it is not their sum. */
const GAUGES: readonly [name: RegExp, combine: (a: number, b: number) => number][] = [
  [/^process_start_time_seconds$/, Math.min],
  [/^nodejs_eventloop_lag|_max_fds$/, Math.max],
];

const toName = (series: string) => series.replace(/\{.*/, '');
const sum = (a: number, b: number) => a + b;

/** @param texts the first is that of the process that was asked; the others may lack what is the same in all */
export function mergeMetrics(texts: readonly string[]): string {
  return Array.from(addUp(texts), render).join('');
}

/** What stays of processes that ended: their counters and histograms, without what was true of them while they ran. */
export function mergeCounters(texts: readonly string[]): string {
  return Array.from(
    addUp(texts).filter(({ type }) => type !== 'gauge'),
    render,
  ).join('');
}

function addUp(texts: readonly string[]) {
  const families = new Map<string, Family>();
  texts.forEach((text, index) => addText(families, text, index === 0));
  return families.values();
}

function addText(families: Map<string, Family>, text: string, isFirst: boolean): void {
  let family: Family | null = null;
  let isNew = false;
  for (const line of text.split('\n')) {
    const [, kind, name = '', said = ''] = /^# (HELP|TYPE) (\S+) ?(.*)$/.exec(line) ?? [];
    if (kind === 'HELP') {
      isNew = !families.has(name);
      family = families.get(name) ?? { head: [], type: '', samples: new Map() };
      families.set(name, family);
    }
    if (!family) continue;
    if (kind !== undefined) {
      if (kind === 'TYPE') family.type = said;
      if (isNew) family.head.push(line);
      continue;
    }
    const at = line.lastIndexOf(' ');
    if (line === '' || line.startsWith('#') || at < 0) continue;
    const series = line.slice(0, at);
    if (isFirst || family.type !== 'gauge' || !OF_THE_FIRST.test(toName(series)))
      addSample(family, series, Number(line.slice(at + 1)));
  }
}

function addSample({ type, samples }: Family, series: string, value: number): void {
  const known = samples.get(series);
  const [, combine = sum] = type === 'gauge' ? (GAUGES.find(([name]) => name.test(toName(series))) ?? []) : [];
  samples.set(series, known === undefined ? value : combine(known, value));
}

const render = ({ head, samples }: Family): string =>
  [...head, ...Array.from(samples, ([series, value]) => `${series} ${value}`), ''].join('\n');

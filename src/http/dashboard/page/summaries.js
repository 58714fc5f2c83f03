// The last 30 days: what became of each day's results, what devices reported, how long it took; as charts and as a table.
import { createChart, toAxes, toColour, toSeries } from './charts.js';
import { byId, create, setText } from './dom.js';
import { toCount, toDuration } from './format.js';
import { request, toMessage } from './request.js';

/**
 * @typedef {import('../summaries.ts').SummariesView} SummariesView
 * @typedef {SummariesView['days'][number]} Day
 * @typedef {{ label: string, colour: string, read: (day: Day) => number }} Part
 */

const REFRESH_EVERY_MS = 60_000;
const DAY_S = 86_400;
const LAST_WEEK = 7;

/** From the foot of a bar to its top. @type {Part[]} */
const OUTCOMES = [
  { label: 'delivered', colour: '--good', read: ({ outcomes }) => outcomes.delivered },
  { label: 'superseded', colour: '--quiet', read: ({ outcomes }) => outcomes.superseded },
  { label: 'open', colour: '--open', read: ({ outcomes }) => outcomes.open },
  { label: 'given up', colour: '--bad', read: ({ outcomes }) => outcomes.dead },
];
/** @type {Part[]} */
const STATES = [
  { label: 'success', colour: '--good', read: ({ states }) => states.success },
  { label: 'not applicable', colour: '--quiet', read: ({ states }) => states.notApplicable },
  { label: 'pending', colour: '--out', read: ({ states }) => states.pending },
  { label: 'unknown', colour: '--in', read: ({ states }) => states.unknown },
  { label: 'script error', colour: '--open', read: ({ states }) => states.scriptError },
  { label: 'fail', colour: '--bad', read: ({ states }) => states.fail },
];
const LATENCIES = [
  { label: 'median', colour: '--out' },
  { label: '99 %', colour: '--in', dash: [5, 4] },
];

/** On the logarithmic axis of latency. */
const MARKS = [
  { seconds: 0.1, label: '0.1 s' },
  { seconds: 1, label: '1 s' },
  { seconds: 10, label: '10 s' },
  { seconds: 60, label: '1 min' },
  { seconds: 600, label: '10 min' },
  { seconds: 3600, label: '1 h' },
  { seconds: 36_000, label: '10 h' },
  { seconds: DAY_S, label: '1 d' },
  { seconds: 10 * DAY_S, label: '10 d' },
];
const [FASTEST_S, SLOWEST_S] = [0.1, 10 * DAY_S];

/** A day in UTC, wherever the reader is. @type {Pick<uPlot.Options, 'tzDate'>} */
const IN_UTC = { tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC') };
const ACROSS = { incrs: [1, 2, 4, 7, 10].map((days) => days * DAY_S), values: [[DAY_S, '{D} {MMM}']], space: 56 };
/** @type {uPlot.Series} */
const DAY = { value: '{YYYY}-{MM}-{DD}', label: 'Day' };
/** Room for the bars of the first and the last day. @type {uPlot.Scale.Range} */
const WHOLE_DAYS = (_, first, last) => [first - DAY_S / 2, last + DAY_S / 2];

/**
 * Bars in parts. Each part is drawn from the ground up over the ones above it, so the whole comes first.
 * @param {string} id
 * @param {string} what in words
 * @param {Part[]} parts
 */
function createBars(id, what, parts) {
  const fromTop = parts.toReversed();
  const bars = uPlot.paths.bars?.({ size: [0.8, 40] });
  /** @type {Day[]} */
  let shown = [];
  const show = createChart(id, () => ({
    ...IN_UTC,
    scales: { x: { range: WHOLE_DAYS }, y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] } },
    axes: toAxes(ACROSS, { values: (_, ticks) => ticks.map(toCount) }),
    series: [
      DAY,
      ...fromTop.map(({ label, colour, read }) => ({
        label,
        fill: toColour(colour),
        stroke: toColour('--card'),
        width: 1,
        ...(bars && { paths: bars }),
        points: { show: false },
        // The part alone, not what it stands on.
        value: (
          /** @type {uPlot} */ _,
          /** @type {number} */ __,
          /** @type {number} */ ___,
          /** @type {number | null} */ index,
        ) => {
          const day = index === null ? undefined : shown[index];
          return day ? toCount(read(day)) : '–';
        },
      })),
    ],
  }));
  return (/** @type {Day[]} */ days) => {
    shown = days;
    // Without a height there is no bar, and so no outline on the axis.
    const heights = fromTop.map((_, above) => days.map((day) => total(day, fromTop.slice(above)) || null));
    const totals = parts.flatMap(({ label, read }) => {
      const sum = days.reduce((so, day) => so + read(day), 0);
      return sum === 0 ? [] : [`${toCount(sum)} ${label}`];
    });
    show([toSeconds(days), ...heights], `${what}, 30 days together: ${totals.join(', ') || 'none'}`);
  };
}

/**
 * @param {Day} day
 * @param {Part[]} parts
 */
const total = (day, parts) => parts.reduce((so, { read }) => so + read(day), 0);

/** @param {Day[]} days */
const toSeconds = (days) => days.map(({ day }) => Date.parse(day) / 1000);

function createLatencyChart() {
  const show = createChart('latency-chart', () => ({
    ...IN_UTC,
    scales: { x: { range: WHOLE_DAYS }, y: { distr: 3, range: (_, least, most) => toMarks(least, most) } },
    axes: toAxes(ACROSS, {
      splits: (_, __, least, most) =>
        MARKS.map(({ seconds }) => seconds).filter((seconds) => seconds >= least && seconds <= most),
      filter: (_, marks) => marks,
      values: (_, marks) => marks.map((mark) => MARKS.find(({ seconds }) => seconds === mark)?.label ?? ''),
    }),
    series: [DAY, ...toSeries(LATENCIES, toDuration).map((line) => ({ ...line, points: { show: true, size: 6 } }))],
  }));
  return (/** @type {Day[]} */ days) => {
    const [median, slow] = [days.map((day) => day.latencySeconds.p50), days.map((day) => day.latencySeconds.p99)];
    const latest = days.findLast(({ latencySeconds }) => latencySeconds.p50 !== null);
    const words = latest
      ? `latest, of ${latest.day}: median ${toLatency(latest, 'p50')}, 99 % within ${toLatency(latest, 'p99')}`
      : 'none';
    show([toSeconds(days), median, slow], `From acceptance to Graph, by day; ${words}`);
  };
}

/**
 * From the mark below the fastest to the mark above the slowest.
 * @param {number | null} least
 * @param {number | null} most
 * @returns {[number, number]}
 */
const toMarks = (least, most) => [
  MARKS.findLast(({ seconds }) => seconds <= (least ?? 1))?.seconds ?? FASTEST_S,
  MARKS.find(({ seconds }) => seconds >= (most ?? 10))?.seconds ?? SLOWEST_S,
];

/**
 * @param {Day} day
 * @param {'p50' | 'p99'} which
 */
function toLatency({ latencySeconds }, which) {
  const seconds = latencySeconds[which];
  return seconds === null ? '' : toDuration(seconds);
}

/** @param {Day} day */
const toRow = (day) =>
  create(
    'tr',
    {},
    create('th', { scope: 'row', class: 'nowrap' }, day.day),
    ...[day.accepted, ...[...OUTCOMES, ...STATES].map(({ read }) => read(day))].map((count) =>
      create('td', { class: 'number' }, toCount(count)),
    ),
    ...[toLatency(day, 'p50'), toLatency(day, 'p99')].map((text) => create('td', { class: 'number' }, text)),
  );

/** @param {Day[]} days */
function showTable(days) {
  const heads = ['Day', 'accepted', ...[...OUTCOMES, ...STATES, ...LATENCIES].map(({ label }) => label)];
  byId('days-head').replaceChildren(
    ...heads.map((head, index) => create('th', { scope: 'col', ...(index > 0 && { class: 'number' }) }, head)),
  );
  byId('days').replaceChildren(...days.toReversed().map(toRow));
}

/**
 * Rewritten only if it changed, so that an open list stays open.
 * @param {SummariesView['configurations']} configurations
 */
function showChoices(configurations) {
  const select = byId('of-configuration', HTMLSelectElement);
  const ids = configurations.map(({ hardwareConfigurationId: id }) => id);
  const chosen = select.value;
  // One without results in these days stays while it is chosen.
  const choices = chosen === '' || ids.includes(chosen) ? ids : [...ids, chosen];
  if (select.dataset.shown === choices.join(' ')) return;
  select.dataset.shown = choices.join(' ');
  select.replaceChildren(
    create('option', { value: '' }, 'All'),
    ...choices.map((id) => create('option', { value: id }, id)),
  );
  select.value = chosen;
}

/** Sets the section up, and keeps it up to date. */
export function createSummaries() {
  const outcomes = createBars('outcomes-chart', 'What became of results', OUTCOMES);
  const states = createBars('states-chart', 'What devices reported', STATES);
  const latency = createLatencyChart();
  let latest = 0;

  async function refresh() {
    const mine = (latest += 1);
    const of = byId('of-configuration', HTMLSelectElement).value;
    const query = of === '' ? '' : `?${new URLSearchParams({ hardwareConfigurationId: of })}`;
    try {
      const { configurations, days } = /** @type {SummariesView} */ (await request(`summaries.json${query}`));
      if (mine !== latest) return;
      outcomes(days);
      states(days);
      latency(days);
      showTable(days);
      showChoices(configurations);
      const week = days.slice(-LAST_WEEK).reduce((so, { accepted }) => so + accepted, 0);
      setText('days-status', `${toCount(week)} accepted in the last ${LAST_WEEK} days.`);
    } catch (error) {
      if (mine === latest) setText('days-status', `${toMessage(error)}.`);
    }
  }

  byId('of-configuration').addEventListener('change', () => void refresh());
  document.addEventListener('visibilitychange', () => void (document.hidden || refresh()));
  setInterval(() => void (document.hidden || refresh()), REFRESH_EVERY_MS);
  void refresh();
}

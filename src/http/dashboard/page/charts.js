// Charts in the page's colours, by uPlot, drawn again when the colours or the width change; and the two of the last ten minutes.
import { byId } from './dom.js';
import { toCount, toRate } from './format.js';

/**
 * One line of a chart; `colour` is the name of a CSS variable.
 * @typedef {{ label: string, colour: string, dash?: number[] }} Line
 * @typedef {import('../overview.ts').Overview} Overview
 * @typedef {Pick<uPlot.Options, 'series'> & Partial<uPlot.Options>} Drawn
 */

const HEIGHT = 180;
const FONT = '12px system-ui, sans-serif';
const dark = matchMedia('(prefers-color-scheme: dark)');
/** @param {string} name */
export const toColour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/**
 * Of the labels beside a chart, which would be cut off otherwise. There are none before the first drawing.
 * @param {uPlot} _
 * @param {string[] | null} labels
 */
const toWidth = (_, labels) => Math.max(48, 16 + 7 * Math.max(0, ...(labels ?? []).map(({ length }) => length)));

/**
 * The axes of a chart, in its colours.
 * @param {Partial<uPlot.Axis>} across
 * @param {Partial<uPlot.Axis>} up
 * @returns {uPlot.Axis[]}
 */
export function toAxes(across, up) {
  /** @type {uPlot.Axis} */
  const axis = {
    stroke: toColour('--quiet'),
    font: FONT,
    grid: { stroke: toColour('--line'), width: 1 },
    ticks: { show: false },
  };
  return [
    { ...axis, grid: { show: false }, ...across },
    { ...axis, size: toWidth, ...up },
  ];
}

/**
 * Draws a chart where the page has room for it.
 * @param {string} id
 * @param {() => Drawn} toOptions called for each drawing, since colours may have changed
 * @returns how to show other points, and what they say in words
 */
export function createChart(id, toOptions) {
  const place = byId(id);
  /** @type {uPlot.AlignedData} */
  let points = [
    [],
    ...toOptions()
      .series.slice(1)
      .map(() => []),
  ];
  const draw = () =>
    new uPlot(
      {
        width: place.clientWidth,
        height: HEIGHT,
        padding: [8, 28, 0, 0],
        cursor: { drag: { x: false, y: false } },
        ...toOptions(),
      },
      points,
      place,
    );
  let chart = draw();
  dark.addEventListener('change', () => {
    chart.destroy();
    chart = draw();
  });
  new ResizeObserver(() => chart.setSize({ width: place.clientWidth, height: HEIGHT })).observe(place);
  return (/** @type {uPlot.AlignedData} */ next, /** @type {string} */ summary) => {
    points = next;
    chart.setData(points);
    place.setAttribute('aria-label', summary);
  };
}

/**
 * @param {Line[]} lines
 * @param {(value: number) => string} toValue
 * @returns {uPlot.Series[]}
 */
export const toSeries = (lines, toValue) =>
  lines.map(({ label, colour, dash }) => ({
    label,
    stroke: toColour(colour),
    width: 2,
    points: { show: false },
    value: (/** @type {uPlot} */ _, /** @type {number | null} */ value) => (value === null ? '–' : toValue(value)),
    ...(dash && { dash }),
  }));

/**
 * @param {string} id
 * @param {Line[]} lines
 * @param {(value: number) => string} toValue
 */
function createLiveChart(id, lines, toValue) {
  return createChart(id, () => ({
    scales: { y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] } },
    axes: toAxes(
      {
        values: [
          [60, '{HH}:{mm}'],
          [1, '{HH}:{mm}:{ss}'],
        ],
        space: 70,
      },
      { values: (_, ticks) => ticks.map(toValue) },
    ),
    series: [{ value: '{HH}:{mm}:{ss}', label: 'Time' }, ...toSeries(lines, toValue)],
  }));
}

/** Creates both charts. @returns how to show another overview in them */
export function createCharts() {
  const flow = createLiveChart(
    'flow-chart',
    [
      { label: 'in', colour: '--in', dash: [5, 4] },
      { label: 'out', colour: '--out' },
    ],
    toRate,
  );
  const open = createLiveChart('open-chart', [{ label: 'waiting', colour: '--open' }], toCount);
  return (/** @type {Overview} */ { history, flow: now, backlog }) => {
    const seconds = history.at.map((at) => at / 1000);
    const most = (/** @type {number[]} */ values) => Math.max(0, ...values);
    flow(
      [seconds, history.inPerSecond, history.outPerSecond],
      `In and out per second: now ${toRate(now.inPerSecond)} in and ${toRate(now.outPerSecond)} out; at most ${toRate(most(history.inPerSecond))} in and ${toRate(most(history.outPerSecond))} out`,
    );
    open(
      [seconds, history.open],
      `Results waiting: now ${toCount(backlog.open)}, at most ${toCount(most(history.open))}`,
    );
  };
}

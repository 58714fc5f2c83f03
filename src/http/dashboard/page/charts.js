// The two charts, drawn by uPlot in the page's colours, and drawn again when the colours or the width change.
import { byId } from './dom.js';
import { toCount, toRate } from './format.js';

/**
 * One line of a chart; `colour` is the name of a CSS variable.
 * @typedef {{ label: string, colour: string, dash?: number[] }} Line
 * @typedef {import('../overview.ts').Overview} Overview
 */

const HEIGHT = 180;
const FONT = '12px system-ui, sans-serif';
const dark = matchMedia('(prefers-color-scheme: dark)');
/** @param {string} name */
const toColour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/**
 * @param {string} id
 * @param {Line[]} lines
 * @param {(value: number) => string} toValue
 */
function createChart(id, lines, toValue) {
  const place = byId(id);
  /** @type {uPlot.AlignedData} */
  let points = [[], ...lines.map(() => [])];

  function draw() {
    /** @type {uPlot.Axis} */
    const axis = {
      stroke: toColour('--quiet'),
      font: FONT,
      grid: { stroke: toColour('--line'), width: 1 },
      ticks: { show: false },
    };
    return new uPlot(
      {
        width: place.clientWidth,
        height: HEIGHT,
        padding: [8, 28, 0, 0],
        cursor: { drag: { x: false, y: false } },
        scales: { y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] } },
        axes: [
          {
            ...axis,
            grid: { show: false },
            values: [
              [60, '{HH}:{mm}'],
              [1, '{HH}:{mm}:{ss}'],
            ],
            space: 70,
          },
          { ...axis, size: 48, values: (_, ticks) => ticks.map(toValue) },
        ],
        series: [
          { value: '{HH}:{mm}:{ss}', label: 'Time' },
          ...lines.map(({ label, colour, dash }) => ({
            label,
            stroke: toColour(colour),
            width: 2,
            points: { show: false },
            value: (/** @type {uPlot} */ _, /** @type {number | null} */ value) =>
              value === null ? '–' : toValue(value),
            ...(dash && { dash }),
          })),
        ],
      },
      points,
      place,
    );
  }

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

/** Creates both charts. @returns how to show another overview in them */
export function createCharts() {
  const flow = createChart(
    'flow-chart',
    [
      { label: 'in', colour: '--in', dash: [5, 4] },
      { label: 'out', colour: '--out' },
    ],
    toRate,
  );
  const open = createChart('open-chart', [{ label: 'waiting', colour: '--open' }], toCount);
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

// The two charts, by uPlot, in the page's colours; redrawn when those or the width change.
/* global uPlot */
import { byId } from './dom.js';
import { toCount, toRate } from './words.js';

const HEIGHT = 180;
const dark = matchMedia('(prefers-color-scheme: dark)');
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const font = '12px system-ui, sans-serif';

function createChart(id, lines, toValue) {
  const place = byId(id);
  let chart = null;
  let points = [[], ...lines.map(() => [])];

  function draw() {
    chart?.destroy();
    const axis = {
      stroke: colour('--quiet'),
      font,
      grid: { stroke: colour('--line'), width: 1 },
      ticks: { show: false },
    };
    chart = new uPlot(
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
          ...lines.map(({ label, name, dash }) => ({
            label,
            stroke: colour(name),
            width: 2,
            points: { show: false },
            value: (_, value) => (value === null ? '–' : toValue(value)),
            ...(dash && { dash }),
          })),
        ],
      },
      points,
      place,
    );
  }

  dark.addEventListener('change', draw);
  new ResizeObserver(() => chart?.setSize({ width: place.clientWidth, height: HEIGHT })).observe(place);
  draw();
  return (next, summary) => {
    points = next;
    chart.setData(points);
    place.setAttribute('aria-label', summary);
  };
}

/** Makes both charts. @returns how to show another overview in them */
export function createCharts() {
  const flow = createChart(
    'flow-chart',
    [
      { label: 'in', name: '--in', dash: [5, 4] },
      { label: 'out', name: '--out' },
    ],
    toRate,
  );
  const open = createChart('open-chart', [{ label: 'waiting', name: '--open' }], toCount);
  return ({ history, flow: now, backlog }) => {
    const seconds = history.at.map((at) => at / 1000);
    const most = (values) => Math.max(0, ...values);
    flow(
      [seconds, history.inPerSecond, history.outPerSecond],
      `In and out per second: now ${toRate(now.inPerSecond)} in and ${toRate(now.outPerSecond)} out; at most ${toRate(most(history.inPerSecond))} in and ${toRate(most(history.outPerSecond))} out`,
    );
    open(
      [seconds, history.open],
      `Results that wait: now ${toCount(backlog.open)}, at most ${toCount(most(history.open))}`,
    );
  };
}

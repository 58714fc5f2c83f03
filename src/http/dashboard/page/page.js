// The operators' page: requests the overview every second or two, shows it, and says when there is no answer.
import { createCharts } from './charts.js';
import { showDeadLetters } from './dead-letters.js';
import { createDevices } from './devices.js';
import { byId, create, setText } from './dom.js';
import { toAgo, toCount, toDuration, toOutcome, toPercent, toRate, toTime } from './format.js';
import { showReplay } from './replays.js';
import { request, toMessage, toPage } from './request.js';
import { createSearch } from './search.js';
import { createSummaries } from './summaries.js';
import { createTenants } from './tenants.js';

/**
 * @typedef {import('../overview.ts').Overview} Overview
 * @typedef {import('../overview.ts').EndedView} EndedView
 */

const REFRESH_EVERY_MS = 1500;
const UNWELL = ['held', 'full', 'still'];

/** @type {ReturnType<typeof createCharts> | null} */
let showCharts = null;
/** @type {number | null} */
let answeredAt = null;

/** @param {Overview} overview */
function show(overview) {
  const { at, tenantId, outlook, notices, flow, backlog, budget, holds, counts } = overview;
  setText('tenant', tenantId === 'default' ? '' : `· ${tenantId}`);
  byId('outlook').dataset.kind = outlook.kind;
  setText('headline', outlook.headline);
  setText('why', outlook.why);
  setText('todo-text', outlook.todo);
  byId('since').hidden = holds.length === 0;
  setText(
    'since',
    holds
      .map(({ reason, since, hardwareConfigurationId: of, deliveries }) => {
        const whose = of ? `, configuration ${of} only, ${toCount(deliveries ?? 0)} kept back` : '';
        return `${reason}, since ${toTime(since)} (${toAgo(since, at)})${whose}`;
      })
      .join(' · '),
  );
  document.title = `${UNWELL.includes(outlook.kind) ? '⚠ ' : ''}${outlook.headline} – runstate-bridge`;
  showNotices(notices);
  setText('in', toRate(flow.inPerSecond));
  setText('out', toRate(flow.outPerSecond));
  setText('open', toCount(backlog.open));
  setText('open-unit', backlog.open === 1 ? 'result' : 'results');
  setText('oldest', backlog.open === 0 ? 'nothing waits' : `the oldest for ${toDuration(backlog.oldestAgeSeconds)}`);
  setText('drain', backlog.drainSeconds === null ? '?' : backlog.open === 0 ? '–' : toDuration(backlog.drainSeconds));
  setText('drain-note', backlog.drainSeconds === null ? 'not while it is held' : 'at this pace');
  setText('budget', toRate(budget.writesPerSecond));
  byId('used', HTMLMeterElement).value = budget.used;
  const isAsStarted = Math.abs(budget.writesPerSecond / budget.startWritesPerSecond - 1) < 0.02;
  setText(
    'used-text',
    `${toPercent(budget.used)} used${isAsStarted ? '' : `; started at ${toRate(budget.startWritesPerSecond)}`}`,
  );
  setText('graph-facts', overview.graph.join(' · '));
  setText('dead', toCount(counts.dead));
  showDeadLetters(overview.deadLetters, at);
  showReplay(overview.replay);
  showEnded('latest', overview.latest, at);
  showEnded('slowest', overview.slowest, at);
  showCharts ??= createCharts();
  showCharts(overview);
}

/** @param {string[]} notices */
function showNotices(notices) {
  const list = byId('notices');
  if (list.dataset.shown === notices.join('\n')) return;
  list.dataset.shown = notices.join('\n');
  list.hidden = notices.length === 0;
  list.replaceChildren(...notices.map((notice) => create('li', {}, notice)));
}

/**
 * Rows are replaced only if they changed, so that a link in one keeps the focus.
 * @param {string} id
 * @param {EndedView[]} ended
 * @param {string} now
 */
function showEnded(id, ended, now) {
  const body = byId(id);
  const wanted = ended.map(({ deliveryId }) => deliveryId).join(' ');
  if (body.dataset.shown !== wanted) {
    body.dataset.shown = wanted;
    body.replaceChildren(
      ...(ended.length === 0 ? [create('tr', {}, create('td', { colspan: '4' }, 'None yet.'))] : ended.map(toRow)),
    );
  }
  ended.forEach(({ endedAt }, index) => {
    const when = body.children[index]?.children[2];
    if (when) when.textContent = endedAt === null ? '' : toAgo(endedAt, now);
  });
}

/** @param {EndedView} ended */
function toRow({ deliveryId, deviceId, status, code, seconds }) {
  return create(
    'tr',
    {},
    create(
      'th',
      { scope: 'row' },
      create('a', { href: toPage({ find: deliveryId }), 'data-find': deliveryId }, deviceId),
    ),
    create('td', {}, create('span', { class: `status ${status}` }, toOutcome({ status, code }))),
    create('td', { class: 'number' }),
    create('td', { class: 'number' }, seconds === null ? '' : toDuration(seconds)),
  );
}

/**
 * @param {'live' | 'away'} state
 * @param {string} text
 */
function showLive(state, text) {
  byId('live').dataset.state = state;
  document.body.classList.toggle('stale', state === 'away');
  setText('live-text', text);
}

async function refresh() {
  try {
    show(/** @type {Overview} */ (await request('overview.json')));
    answeredAt = Date.now();
    showLive('live', `live · ${toTime(answeredAt)}`);
  } catch (error) {
    const shown = answeredAt === null ? '' : ` What you see is from ${toTime(answeredAt)}.`;
    showLive('away', `${toMessage(error)}.${shown} Trying again …`);
  }
}

async function keepRefreshing() {
  for (;;) {
    if (document.hidden)
      await new Promise((resolve) => document.addEventListener('visibilitychange', resolve, { once: true }));
    await refresh();
    await new Promise((resolve) => setTimeout(resolve, REFRESH_EVERY_MS));
  }
}

await createTenants();
createSearch();
createDevices();
createSummaries();
void keepRefreshing();

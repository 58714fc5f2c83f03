// Dead letters by cause, and their replay: counted and shown first, done once confirmed.
import { byId, create, setText } from './dom.js';
import { toAgo, toCount } from './format.js';
import { showReplay } from './replays.js';
import { request, toMessage } from './request.js';

/**
 * @typedef {import('../overview.ts').CauseView} CauseView
 * @typedef {import('../../response/response-schemas.ts').Replayed} Replayed
 * @typedef {import('../../response/replay-schemas.ts').ReplayStarted} ReplayStarted
 */

/** @type {Map<string, Record<'element' | 'count' | 'latest' | 'remedy', HTMLElement>>} by failure code */
const rows = new Map();
/** @param {number} count */
const letters = (count) => (count === 1 ? '1 dead letter' : `${toCount(count)} dead letters`);

/**
 * @param {import('../overview.ts').Overview['deadLetters']} deadLetters
 * @param {string} now
 */
export function showDeadLetters({ total, counted, causes }, now) {
  byId('dead-none').hidden = total > 0;
  byId('dead-table').hidden = total === 0;
  byId('dead-part').hidden = counted >= total;
  setText(
    'dead-part',
    `Only the newest ${toCount(counted)} of ${toCount(total)} are counted here; a replay covers all of them.`,
  );
  for (const [code, row] of rows) {
    if (causes.some((cause) => cause.code === code)) continue;
    row.element.remove();
    rows.delete(code);
  }
  for (const cause of causes) {
    const row = rows.get(cause.code) ?? addRow(cause.code);
    row.count.textContent = toCount(cause.count);
    row.latest.textContent = cause.latestAt === null ? '' : toAgo(cause.latestAt, now);
    row.remedy.textContent = cause.remedy;
  }
}

/** @param {string} code */
function addRow(code) {
  const button = create('button', { type: 'button' }, 'Replay …');
  button.setAttribute('aria-label', `Replay ${code}`);
  button.addEventListener('click', () => void replay(code));
  const count = create('td', { class: 'number' });
  const latest = create('td', { class: 'nowrap' });
  const remedy = create('td', { class: 'remedy' });
  const cause = create('th', { scope: 'row' }, create('code', {}, code));
  const element = create('tr', {}, cause, count, latest, remedy, create('td', {}, button));
  const row = { element, count, latest, remedy };
  rows.set(code, row);
  byId('causes').append(element);
  return row;
}

/** @param {string} code */
async function replay(code) {
  const say = (/** @type {string} */ text) => setText('replay-status', text);
  try {
    say('Counting …');
    const { matched } = await requestReplay({ filter: { code }, dryRun: true });
    say('');
    if (matched === 0) {
      say(`No dead letters with ${code} are left.`);
      return;
    }
    const answer = await confirm(code, matched);
    if (answer === null) return;
    if (answer.perSecond !== null) {
      const started = await startReplay({ filter: { code }, perSecond: answer.perSecond });
      say('');
      showReplay(started.replays[0] ?? null);
      return;
    }
    say('Replaying …');
    const { replayed } = await requestReplay({ filter: { code } });
    say(`${letters(replayed)} with ${code} went back into the queue.`);
  } catch (error) {
    say(`${toMessage(error)}.`);
  }
}

const requestReplay = async (/** @type {object} */ selection) =>
  /** @type {Replayed} */ (await request('replay', selection));
const startReplay = async (/** @type {object} */ selection) =>
  /** @type {ReplayStarted} */ (await request('replay', selection));

/**
 * @param {string} code
 * @param {number} matched
 * @returns {Promise<{ perSecond: number | null } | null>} null for no; without a rate all are replayed at once
 */
function confirm(code, matched) {
  const dialog = byId('confirm', HTMLDialogElement);
  const rate = byId('confirm-rate', HTMLInputElement);
  rate.value = '';
  setText('confirm-title', `Replay ${letters(matched)}?`);
  setText(
    'confirm-text',
    `${matched === 1 ? 'The one' : `All ${toCount(matched)}`} with the cause ${code} will go back into the queue, under the same id and with their history. If the cause is not fixed, they come back here.`,
  );
  setText('confirm-yes', `Replay ${toCount(matched)}`);
  return new Promise((resolve) => {
    dialog.returnValue = '';
    const perSecond = () => (rate.value === '' ? null : rate.valueAsNumber);
    const end = () => resolve(dialog.returnValue === 'yes' ? { perSecond: perSecond() } : null);
    dialog.addEventListener('close', end, { once: true });
    dialog.showModal();
  });
}

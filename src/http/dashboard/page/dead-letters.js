// Dead letters by cause, and their replay: first counted and shown, then done once confirmed.
import { ask } from './ask.js';
import { byId, create, setText } from './dom.js';
import { toAgo, toCount } from './words.js';

const rows = new Map();
const letters = (count) => (count === 1 ? '1 dead letter' : `${toCount(count)} dead letters`);

export function showDeadLetters({ total, counted, causes }, now) {
  byId('dead-none').hidden = total > 0;
  byId('dead-table').hidden = total === 0;
  byId('dead-part').hidden = counted >= total;
  setText(
    'dead-part',
    `Counted are the newest ${toCount(counted)} of ${toCount(total)}; a replay counts and takes all.`,
  );
  for (const [code, row] of rows) {
    if (causes.some((cause) => cause.code === code)) continue;
    row.remove();
    rows.delete(code);
  }
  for (const cause of causes) {
    const row = rows.get(cause.code) ?? addRow(cause.code);
    const [, count, latest, remedy] = row.children;
    count.textContent = toCount(cause.count);
    latest.textContent = cause.latestAt === null ? '' : toAgo(cause.latestAt, now);
    remedy.textContent = cause.remedy;
  }
}

function addRow(code) {
  const button = create('button', { type: 'button' }, 'Replay …');
  button.setAttribute('aria-label', `Replay ${code}`);
  button.addEventListener('click', () => void replay(code));
  const row = create(
    'tr',
    {},
    create('th', { scope: 'row' }, create('code', {}, code)),
    create('td', { class: 'number' }),
    create('td', { class: 'nowrap' }),
    create('td', { class: 'remedy' }),
    create('td', {}, button),
  );
  rows.set(code, row);
  byId('causes').append(row);
  return row;
}

async function replay(code) {
  const say = (text) => setText('replay-status', text);
  try {
    say('Counting …');
    const { matched } = await ask('replay', { filter: { code }, dryRun: true });
    say('');
    if (matched === 0) {
      say(`There are no dead letters with ${code} any more.`);
      return;
    }
    if (!(await confirm(code, matched))) return;
    say('Replaying …');
    const { replayed } = await ask('replay', { filter: { code } });
    say(`${letters(replayed)} with ${code} went back into the queue.`);
  } catch (error) {
    say(`${error.message}.`);
  }
}

function confirm(code, matched) {
  const dialog = byId('confirm');
  setText('confirm-title', `Replay ${letters(matched)}?`);
  setText(
    'confirm-text',
    `${matched === 1 ? 'The one' : `All ${toCount(matched)}`} with the cause ${code} will go back into the queue, under the same id and with their history. Where the cause is not mended, they come back here.`,
  );
  setText('confirm-yes', `Replay ${toCount(matched)}`);
  return new Promise((resolve) => {
    dialog.returnValue = '';
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
    dialog.showModal();
  });
}

// The replay at a rate that is under way: how far it is, with buttons to pause, resume and cancel it.
import { byId, setText } from './dom.js';
import { toCount } from './format.js';
import { request, toMessage } from './request.js';

/** @typedef {import('../../response/replay-schemas.ts').ReplayView} ReplayView */

/** @type {ReplayView | null} */
let shown = null;

/** @param {ReplayView | null} replay */
export function showReplay(replay) {
  shown = replay;
  byId('replay').hidden = replay === null;
  if (replay === null) return;
  const { filter, perSecond, state, matched, replayed, skipped } = replay;
  const what = Object.values(filter).join(', ') || 'all dead letters';
  const skips = skipped === 0 ? '' : `, ${toCount(skipped)} skipped`;
  setText(
    'replay-text',
    `Replay of ${what}, ${perSecond} a second: ${toCount(replayed)} of ${toCount(matched)} went back into the queue${skips}${state === 'paused' ? ' · paused' : ''}.`,
  );
  setText('replay-toggle', state === 'paused' ? 'Resume' : 'Pause');
}

/** @param {'pause' | 'resume' | 'cancel'} operation */
async function change(operation) {
  if (shown === null) return;
  try {
    const replay = /** @type {ReplayView} */ (await request(`replays/${shown.id}/${operation}`, {}));
    showReplay(replay.endedAt === null ? replay : null);
    setText(
      'replay-status',
      replay.endedAt === null
        ? ''
        : `The replay is cancelled: ${toCount(replay.replayed)} of ${toCount(replay.matched)} went back into the queue, the others are still here.`,
    );
  } catch (error) {
    setText('replay-status', `${toMessage(error)}.`);
  }
}

byId('replay-toggle').addEventListener('click', () => void change(shown?.state === 'paused' ? 'resume' : 'pause'));
byId('replay-cancel').addEventListener('click', () => void change('cancel'));

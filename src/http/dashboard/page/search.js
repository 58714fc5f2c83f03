// Search for one run result by any of its ids, with an explanation: what happened, what it waits for, what comes next.
import { ask } from './ask.js';
import { byId, create, setText } from './dom.js';
import { toOutcome } from './words.js';

const FOLLOW_EVERY_MS = 3000;
const OPEN = ['queued', 'delivering', 'waiting'];
let latest = 0;

/** Makes the search work: by its form, by links to a delivery, by the page's address. */
export function createSearch() {
  byId('find').addEventListener('submit', (event) => {
    event.preventDefault();
    open(byId('text').value);
  });
  document.addEventListener('click', (event) => {
    const link = event.target.closest?.('a[data-find]');
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    byId('text').value = link.dataset.find;
    open(link.dataset.find);
    byId('find-title').scrollIntoView({ block: 'start' });
    byId('text').focus({ preventScroll: true });
  });
  const asked = new URLSearchParams(location.search).get('find');
  if (asked === null) return;
  byId('text').value = asked;
  void find(asked);
}

function open(text) {
  history.replaceState(null, '', `?${new URLSearchParams({ find: text.trim() })}`);
  void find(text);
}

async function find(text) {
  const mine = (latest += 1);
  setText('find-status', 'Looking …');
  try {
    const { found, complete } = await ask(`search.json?${new URLSearchParams({ text })}`);
    if (mine !== latest) return;
    setText('find-status', summarise(text, found, complete));
    byId('found').replaceChildren(...found.map((delivery) => toCard(delivery, found.length === 1)));
    if (found.length === 1) follow(found[0], mine);
  } catch (error) {
    if (mine === latest) setText('find-status', `${error.message}.`);
  }
}

/** Refreshes deliveries that have not ended; by id that is cheap. */
function follow({ deliveryId, status }, mine) {
  if (!OPEN.includes(status)) return;
  setTimeout(async () => {
    if (mine !== latest) return;
    const answer = await ask(`search.json?${new URLSearchParams({ text: deliveryId })}`).catch(() => null);
    if (mine !== latest) return;
    const next = answer?.found[0];
    if (next) byId('found').replaceChildren(toCard(next, true));
    follow(next ?? { deliveryId, status }, mine);
  }, FOLLOW_EVERY_MS);
}

function summarise(text, found, complete) {
  const part = complete ? '' : ' The search was cut short: there may be more. A delivery id is found at once.';
  if (found.length === 0) {
    return `Nothing is known of “${text.trim()}”.${part || ' It never arrived, or was forgotten after it was delivered.'}`;
  }
  return `${found.length === 1 ? 'One result' : `${found.length} results, newest first`}.${part}`;
}

function toCard({ deliveryId, deviceId, runId, status, lastFailure, explanation }, isOnly) {
  const { summary, happened, waitingFor, next } = explanation;
  const details = create(
    'details',
    isOnly ? { open: '' } : {},
    create(
      'summary',
      {},
      create('span', { class: `status ${status}` }, toOutcome({ status, code: lastFailure?.code })),
      ` ${summary}`,
    ),
    create('h3', {}, 'What happened'),
    create('ol', {}, ...happened.map((line) => create('li', {}, line))),
    waitingFor === null ? null : create('h3', {}, 'What it waits for'),
    waitingFor === null ? null : create('p', {}, `${waitingFor.charAt(0).toUpperCase()}${waitingFor.slice(1)}.`),
    create('h3', {}, 'What comes next'),
    create('p', {}, next),
    create(
      'p',
      { class: 'note' },
      `Device ${deviceId} · run ${runId} · delivery `,
      create('a', { href: `?find=${deliveryId}`, 'data-find': deliveryId }, deliveryId),
    ),
  );
  return create('article', {}, details);
}

// The search for one result, and its explanation: what happened, what it waits for, what comes next.
import { byId, create, setText } from './dom.js';
import { toOutcome } from './format.js';
import { request, toMessage, toPage } from './request.js';

/**
 * @typedef {import('../../response/response-schemas.ts').SearchAnswer} SearchAnswer
 * @typedef {SearchAnswer['found'][number]} Found
 */

const FOLLOW_EVERY_MS = 3000;
const OPEN = ['queued', 'delivering', 'waiting'];
let latest = 0;

/** @param {string} text */
const search = async (text) =>
  /** @type {SearchAnswer} */ (await request(`search.json?${new URLSearchParams({ text })}`));

/** Sets the search up: by its form, by links to a delivery, by the page's address. */
export function createSearch() {
  const input = byId('text', HTMLInputElement);
  byId('find').addEventListener('submit', (event) => {
    event.preventDefault();
    open(input.value);
  });
  document.addEventListener('click', (event) => {
    const link = event.target instanceof Element ? event.target.closest('a[data-find]') : null;
    const id = link instanceof HTMLAnchorElement ? link.dataset.find : undefined;
    if (id === undefined || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    input.value = id;
    open(id);
    byId('find-title').scrollIntoView({ block: 'start' });
    input.focus({ preventScroll: true });
  });
  const wanted = new URLSearchParams(location.search).get('find');
  if (wanted === null) return;
  input.value = wanted;
  void find(wanted);
}

/** @param {string} text */
function open(text) {
  history.replaceState(null, '', toPage({ find: text.trim() }));
  void find(text);
}

/** @param {string} text */
async function find(text) {
  const mine = (latest += 1);
  setText('find-status', 'Searching …');
  try {
    const { found, complete } = await search(text);
    if (mine !== latest) return;
    setText('find-status', summarise(text, found, complete));
    byId('found').replaceChildren(...found.map((delivery) => toCard(delivery, found.length === 1)));
    if (found.length === 1 && found[0]) follow(found[0], mine);
  } catch (error) {
    if (mine === latest) setText('find-status', `${toMessage(error)}.`);
  }
}

/**
 * Refreshes a delivery that is still open; a search by its id is cheap.
 * @param {Pick<Found, 'deliveryId' | 'status'>} delivery
 * @param {number} mine
 */
function follow({ deliveryId, status }, mine) {
  if (!OPEN.includes(status)) return;
  setTimeout(async () => {
    if (mine !== latest) return;
    const answer = await search(deliveryId).catch(() => null);
    if (mine !== latest) return;
    const next = answer?.found[0];
    if (next) byId('found').replaceChildren(toCard(next, true));
    follow(next ?? { deliveryId, status }, mine);
  }, FOLLOW_EVERY_MS);
}

/**
 * @param {string} text
 * @param {Found[]} found
 * @param {boolean} complete
 */
function summarise(text, found, complete) {
  const part = complete ? '' : ' The search was cut short: there may be more. A delivery id is found at once.';
  if (found.length === 0) {
    return `Nothing is known about “${text.trim()}”.${part || ' It never arrived, or was forgotten after it was delivered.'}`;
  }
  return `${found.length === 1 ? 'One result' : `${found.length} results, newest first`}.${part}`;
}

/**
 * @param {Found} found
 * @param {boolean} isOnly
 */
function toCard({ deliveryId, deviceId, runId, status, lastFailure, compacted, explanation }, isOnly) {
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
      compacted ? 'Delivery ' : `Device ${deviceId} · run ${runId} · delivery `,
      create('a', { href: toPage({ find: deliveryId }), 'data-find': deliveryId }, deliveryId),
    ),
  );
  return create('article', {}, details);
}

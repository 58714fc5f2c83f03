// Devices: who has been silent, who fails again and again, what each reported last, who of a list never reported.
import { byId, create, setText } from './dom.js';
import { toAgo, toCount, toOutcome } from './format.js';
import { request, toMessage, toPage } from './request.js';

/**
 * @typedef {import('../../response/response-schemas.ts').DeviceListView} DeviceListView
 * @typedef {import('../../response/response-schemas.ts').DeviceReportView} DeviceReportView
 * @typedef {import('../../response/response-schemas.ts').ExpectedDevicesView} ExpectedDevicesView
 */

const PAGE = '50';
/** Only the latest request is shown. */
let latest = 0;

/** Sets up the form; nothing is read before someone asks. */
export function createDevices() {
  const which = byId('devices-which', HTMLSelectElement);
  which.addEventListener('change', showFields);
  byId('devices').addEventListener('submit', (event) => {
    event.preventDefault();
    void (which.value === 'expected' ? compare() : list());
  });
  showFields();
}

/** Only the fields that the choice needs. */
function showFields() {
  const { value } = byId('devices-which', HTMLSelectElement);
  const [takesHours, takesRuns] = [value === 'silent' || value === 'expected', value === 'failing'];
  byId('devices-hours').hidden = !takesHours;
  byId('devices-runs').hidden = !takesRuns;
  byId('devices-list').hidden = value !== 'expected';
  // The browser checks only fields that are not disabled.
  byId('silent-for', HTMLInputElement).disabled = !takesHours;
  byId('failed-runs', HTMLInputElement).disabled = !takesRuns;
}

const readHours = () => byId('silent-for', HTMLInputElement).value;
const readConfiguration = () => byId('devices-configuration', HTMLInputElement).value.trim();

/** What the form asks for. */
function toQuery() {
  const { value: which } = byId('devices-which', HTMLSelectElement);
  const configuration = readConfiguration();
  return {
    limit: PAGE,
    ...(which === 'silent' && { silentForH: readHours() }),
    ...(which === 'failing' && { failuresInARow: byId('failed-runs', HTMLInputElement).value }),
    ...(configuration !== '' && { hardwareConfigurationId: configuration }),
  };
}

/** The first page; a button fetches each following one. */
async function list() {
  const mine = begin();
  const query = toQuery();
  /** @type {DeviceReportView[]} */
  const shown = [];
  /** @param {string | null} cursor */
  const fetchPage = async (cursor) => {
    const parameters = new URLSearchParams({ ...query, ...(cursor !== null && { cursor }) });
    const page = /** @type {DeviceListView} */ (await request(`devices.json?${parameters}`));
    if (mine !== latest) return;
    shown.push(...page.devices);
    showRows(page.devices.map(toRow), cursor !== null);
    setText('devices-status', describe(shown.length, page.nextCursor !== null));
    showMore(page.nextCursor, (next) => attempt(mine, () => fetchPage(next)));
  };
  await attempt(mine, () => fetchPage(null));
}

/** Which devices of the list are missing. */
async function compare() {
  const mine = begin();
  const lines = byId('expected', HTMLTextAreaElement).value.split('\n');
  const deviceIds = [...new Set(lines.map((line) => line.trim()).filter((line) => line !== ''))];
  const configuration = readConfiguration();
  const question = {
    deviceIds,
    silentForH: Number(readHours()),
    ...(configuration !== '' && { hardwareConfigurationId: configuration }),
  };
  await attempt(mine, async () => {
    if (deviceIds.length === 0) throw new Error('Paste the ids of the devices that should have reported');
    const missing = /** @type {ExpectedDevicesView} */ (await request('devices/expected', question));
    if (mine !== latest) return;
    const { neverReported, silent } = missing;
    setText(
      'devices-status',
      `${toCount(neverReported.length)} of ${toCount(deviceIds.length)} never reported, ${toCount(silent.length)} not within ${readHours()} h.`,
    );
    const rows = [
      ...neverReported.map((deviceId) => ({ deviceId, when: 'never' })),
      ...silent.map(({ deviceId, reportedAt }) => ({ deviceId, when: toAgo(reportedAt, new Date().toISOString()) })),
    ];
    showRows(
      rows.map(({ deviceId, when }) =>
        create(
          'tr',
          {},
          create('th', { scope: 'row' }, deviceId),
          create('td', { colspan: '4' }),
          create('td', { class: 'number' }, when),
          create('td'),
        ),
      ),
      false,
    );
  });
}

/** @returns {number} of this request */
function begin() {
  setText('devices-status', 'Reading …');
  byId('devices-more').hidden = true;
  return (latest += 1);
}

/**
 * @param {number} mine
 * @param {() => Promise<void>} act
 */
async function attempt(mine, act) {
  try {
    await act();
  } catch (error) {
    if (mine === latest) setText('devices-status', `${toMessage(error)}.`);
  }
}

/**
 * @param {number} count
 * @param {boolean} hasMore
 */
function describe(count, hasMore) {
  // Very many may have been looked through without a match.
  if (count === 0) return hasMore ? 'None so far.' : 'None.';
  return `${hasMore ? 'The first ' : ''}${count === 1 ? '1 device' : `${toCount(count)} devices`}.`;
}

/**
 * @param {HTMLElement[]} rows
 * @param {boolean} isNext
 */
function showRows(rows, isNext) {
  if (isNext) byId('devices-rows').append(...rows);
  else byId('devices-rows').replaceChildren(...rows);
  byId('devices-table').hidden = byId('devices-rows').children.length === 0;
}

/**
 * @param {string | null} cursor
 * @param {(cursor: string) => Promise<void>} fetchNext
 */
function showMore(cursor, fetchNext) {
  const more = byId('devices-more', HTMLButtonElement);
  more.hidden = cursor === null;
  more.onclick = cursor === null ? null : () => void fetchNext(cursor);
}

/** @param {DeviceReportView} report */
function toRow({ deviceId, deviceName, hardwareConfigurationId, state, failuresInARow, reportedAt, ...its }) {
  const { deliveryId, status } = its;
  return create(
    'tr',
    {},
    create('th', { scope: 'row' }, create('a', { href: toPage({ find: deviceId }), 'data-find': deviceId }, deviceId)),
    create('td', {}, deviceName ?? ''),
    create('td', {}, hardwareConfigurationId),
    create('td', {}, state ?? 'not known'),
    create('td', { class: 'number' }, toCount(failuresInARow)),
    create('td', { class: 'number' }, toAgo(reportedAt, new Date().toISOString())),
    create(
      'td',
      {},
      status === null
        ? 'no longer stored'
        : create('a', { href: toPage({ find: deliveryId }), 'data-find': deliveryId }, toOutcome({ status })),
    ),
  );
}

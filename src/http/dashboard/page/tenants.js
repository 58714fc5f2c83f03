// The list of all tenants, those in trouble first; without several there is none.
import { byId, create } from './dom.js';
import { request, showTenant, shownTenant } from './request.js';

/** @typedef {import('../overview.ts').TenantSummary} TenantSummary */

const REFRESH_EVERY_MS = 5000;

/** Chooses the tenant to show unless the address names one, and keeps the list up to date. */
export async function createTenants() {
  const update = () => refresh().catch(() => undefined);
  await update();
  setInterval(() => void update(), REFRESH_EVERY_MS);
}

async function refresh() {
  const tenants = await read();
  const [worst] = tenants;
  if (worst && tenants.length > 1 && shownTenant() === null) showTenant(worst.id);
  show(tenants);
}

/** All of them, whichever is shown. */
async function read() {
  return /** @type {{ tenants: TenantSummary[] }} */ (await request('tenants.json', undefined, null)).tenants;
}

/** @param {TenantSummary[]} tenants */
function show(tenants) {
  const list = byId('tenants');
  list.hidden = tenants.length < 2;
  const text = JSON.stringify(tenants.map(({ id, kind, headline }) => [id, kind, headline]));
  if (list.dataset.shown === text) return;
  list.dataset.shown = text;
  list.replaceChildren(...tenants.map(toLink));
}

/** @param {TenantSummary} tenant */
function toLink({ id, kind, headline }) {
  return create(
    'a',
    {
      href: `?${new URLSearchParams({ tenant: id })}`,
      'data-kind': kind,
      title: headline,
      ...(id === shownTenant() && { 'aria-current': 'page' }),
    },
    kind === 'flowing' || kind === 'idle' ? id : `${id}: ${headline}`,
  );
}

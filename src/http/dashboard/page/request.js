// Requests to the service: JSON with a deadline, and an error a person can read where there is no answer.

const TIMEOUT_MS = 8000;

/** The tenant that everything is asked of; null where there is only one. */
let tenant = new URLSearchParams(location.search).get('tenant');

export const shownTenant = () => tenant;

/** @param {string} id */
export const showTenant = (id) => void (tenant = id);

/**
 * An address of this page, for the tenant that is shown.
 * @param {Record<string, string>} parameters
 */
export const toPage = (parameters) => `?${new URLSearchParams({ ...(tenant !== null && { tenant }), ...parameters })}`;

/**
 * @param {string} path below `dashboard/`
 * @param {object} [body] with one the request is a POST
 * @param {string | null} [of] the tenant it is about; null for all
 * @returns {Promise<unknown>}
 * @throws {Error} whose message can be shown
 */
export async function request(path, body, of = tenant) {
  // A user name and password in the page's own address would be refused in a request's.
  const url = Object.assign(new URL(`dashboard/${path}`, location.href), { username: '', password: '' });
  if (of !== null) url.searchParams.set('tenant', of);
  const response = await fetch(url, {
    signal: AbortSignal.timeout(TIMEOUT_MS),
    ...(body && { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }),
  }).catch(() => {
    throw new Error('The service does not answer');
  });
  if (response.ok) return response.json();
  throw new Error(await describe(response));
}

/** @param {unknown} error */
export const toMessage = (error) => (error instanceof Error ? error.message : String(error));

/** @param {Response} response */
async function describe(response) {
  if (response.status === 401) return 'The operator token is no longer accepted: reload the page';
  const problem = await response.json().catch(() => ({}));
  if (problem.code === 'queue-unavailable')
    return 'The service answers, but Redis does not: devices receive 503 and send again later';
  const [fault] = problem.errors ?? [];
  if (fault) return `${problem.title}: ${fault.pointer.slice(1)} ${fault.detail}`;
  return problem.detail ? `${problem.title}: ${problem.detail}` : `The service answers ${response.status}`;
}

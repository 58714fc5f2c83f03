// Requests to the service: JSON, with a deadline and a readable error.

const ANSWER_WITHIN_MS = 8000;

/** @throws Error whose message can be shown */
export async function ask(path, body) {
  // fetch rejects a URL with a user name and password, which the page's own URL may have.
  const url = Object.assign(new URL(`dashboard/${path}`, location.href), { username: '', password: '' });
  const answer = await fetch(url, {
    signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    ...(body && { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }),
  }).catch(() => {
    throw new Error('The service does not answer');
  });
  if (answer.ok) return answer.json();
  throw new Error(await describe(answer));
}

async function describe(answer) {
  if (answer.status === 401) return 'The operator token is not taken any more: reload the page';
  const problem = await answer.json().catch(() => ({}));
  if (problem.code === 'queue-unavailable')
    return 'The service answers, but Redis does not: devices hear 503 and send again later';
  return problem.detail ? `${problem.title}: ${problem.detail}` : `The service answers ${answer.status}`;
}

// The container's health check: GET /livez of the API or worker, at the address its own variables configure.
import { Agent as HttpAgent, get as getHttp } from 'node:http';
import { Agent as HttpsAgent, get as getHttps } from 'node:https';
import { environmentSchema } from '../config/environment.ts';
import { readGiven } from '../config/variables.ts';

const ANSWER_WITHIN_MS = 4000;
/** The loopback address for a wildcard address. */
const LOOPBACK: Record<string, string> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

const { PORT, WORKER_PORT, HOST, TLS_CERT_FILE } = environmentSchema
  .pick({ PORT: true, WORKER_PORT: true, HOST: true, TLS_CERT_FILE: true })
  .parse(readGiven(process.env).variables);
const host = LOOPBACK[HOST] ?? HOST;

/** Uses no proxy and does not verify the certificate, which names this host as others see it. */
function isLive(port: number, isSecure: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
    const to = { host, port, path: '/livez', signal };
    const request = isSecure
      ? getHttps({ ...to, agent: new HttpsAgent({ rejectUnauthorized: false }) })
      : getHttp({ ...to, agent: new HttpAgent() });
    request.on('error', reject);
    request.on('response', (response) => {
      response.resume();
      if (response.statusCode === 200) resolve();
      else reject(new Error(`answers ${String(response.statusCode)}`));
    });
  });
}

// A container runs one process: it is live if either port answers.
await Promise.any([isLive(PORT, TLS_CERT_FILE !== undefined), isLive(WORKER_PORT, false)]).catch((error: unknown) => {
  const reasons = error instanceof AggregateError ? (error.errors as Error[]).map(({ message }) => message) : [];
  process.stderr.write(`not live: ${reasons.join('; ')}\n`);
  process.exitCode = 1;
});
